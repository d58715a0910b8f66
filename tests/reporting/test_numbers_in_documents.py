"""Measured numbers that documents name are those of the published reports."""

import re
from pathlib import Path

from tsd.reporting.wording import number
from tsd.results.collected import Results

AQUARIUM = Path("reports/published/transfer-aquarium/results.json")


def test_the_guide_to_own_data_names_what_the_baseline_reached():
    text = re.sub(r"\s+", " ", Path("docs/own-data.md").read_text())
    sentence = r"`r50` reached (\S+) AP with (\S+) iterations and (\S+) with (\S+) \(seed 0\)"
    (found,) = re.findall(sentence, text)
    reached = {
        one.trainings.removesuffix(" iterations"): number(one.runs["r50"][0]["AP"], 1)
        for one in Results.read(AQUARIUM).lengths
        if "r50" in one.runs
    }
    assert {found[1]: found[0], found[3]: found[2]} == reached
