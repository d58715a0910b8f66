"""Measured numbers that documents name are those of the published reports."""

import math
import re
from pathlib import Path

from tsd.experiments.comparisons import Difference, Quantity
from tsd.reporting.image_noise import find
from tsd.reporting.wording import number
from tsd.results.collected import Results

MINI = Path("reports/published/mini/results.json")
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


def test_the_page_on_verdicts_names_the_noise_of_the_images():
    text = re.sub(r"\s+", " ", Path("docs/verdicts.md").read_text())
    sentence = (
        r"a standard error of (\S+) with the validation set's (\S+) images. "
        r"With (\S+) images it would be √(\S+) times as large, (\S+)\."
    )
    (found,) = re.findall(sentence, text)
    noise = find(Results.read(MINI), Difference("tsd_pc", Quantity(("AP",)), "r50"))
    assert noise is not None
    assert noise.sd is not None
    assert noise.images is not None
    few = int(found[2])
    assert found == (
        number(noise.sd, 2),
        f"{noise.images:,}",
        found[2],
        str(noise.images // few),
        number(noise.sd * math.sqrt(noise.images / few), 2),
    )
