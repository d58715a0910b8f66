import json
from pathlib import Path

import pytest
import yaml

from tsd.experiments.claims_schema import Claim, load_claims
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError

DECLARED = Path("experiments")
PAIR = {"run": "tsd_pc", "baseline": "r50"}
GAIN = {"kind": "gain", "pairs": [PAIR], "metrics": ["AP"], "direction": "up"}


def claim(test=GAIN, **changes):
    entry = {"id": "one", "quote": "q", "source": "Section 1", "statement": "s", "test": test}
    return {**entry, **changes}


def load(folder, experiments, *entries):
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(list(entries), allow_unicode=True))
    return load_claims(path, experiments)


def test_the_declared_claims_load_and_survive_being_collected():
    claims = load_claims(DECLARED / "claims.yaml", load_experiments(DECLARED))
    assert len(claims) >= 40
    for entry in claims.values():
        collected = json.loads(json.dumps(entry.model_dump()))
        assert Claim.model_validate(collected).model_dump() == entry.model_dump()


def test_a_claim_knows_its_runs_and_metrics(tmp_path, declared):
    larger = {"kind": "larger_gain", "pairs": [PAIR], "quantities": [["APm"]], "than": ["APs"]}
    loaded = load(tmp_path, declared, claim(larger))["one"]
    assert loaded.runs == ["r50", "tsd_pc"]
    assert loaded.metrics == ["APm", "APs"]


MISTAKES = {
    "the name of a run": (claim(id="r50"), "claim r50: key id: a table, figure or run is called"),
    "unknown kind": (
        claim({**GAIN, "kind": "gian"}),
        r"claim one: key test\.kind: unknown kind 'gian'; did you mean 'gain'\?",
    ),
    "no kind": (claim({"pairs": [PAIR]}), r"claim one: key 'test\.kind' is missing; known: "),
    "unknown key of the test's own kind": (
        claim(
            {"kind": "ratio", "pairs": [PAIR], "metrik": "AP", "metric": "AP", "direction": "up"}
        ),
        r"claim one: test: unknown key 'metrik'; did you mean 'metric'\?",
    ),
    "unknown key of a pair": (
        claim({**GAIN, "pairs": [{**PAIR, "basline": "r50"}]}),
        r"claim one: test: unknown key 'pairs\.0\.basline'; did you mean 'baseline'\?",
    ),
    "unknown key of the claim": (
        claim(statment="s"),
        r"claim one: unknown key 'statment'; did you mean 'statement'\?",
    ),
    "unknown run": (
        claim({**GAIN, "pairs": [{"run": "tsd_cp", "baseline": "r50"}]}),
        r"claim one: unknown run 'tsd_cp'; did you mean 'tsd_pc'\?",
    ),
    "unknown run with a number of the prose": (
        claim(published={"r51": {"AP": 1.0}}),
        r"claim one: unknown run 'r51'; did you mean 'r50'\?",
    ),
    "unknown metric": (
        claim({**GAIN, "metrics": ["AP_50"]}),
        r"claim one: unknown metric 'AP_50'; did you mean 'AP50'\?",
    ),
    "nothing expected": (
        claim({k: v for k, v in GAIN.items() if k != "direction"}),
        r"claim one: test: say direction, size or both",
    ),
    "a size around a number and between": (
        claim({**GAIN, "size": {"about": 1, "at_least": 2}}),
        r"claim one: test: key 'size': .*within, with or without about",
    ),
    "a size both around and between": (
        claim({**GAIN, "size": {"within": 1, "at_least": 2}}),
        r"claim one: test: key 'size': .*within, with or without about",
    ),
    "a size around a number, not how near": (
        claim({**GAIN, "size": {"about": 3}}),
        r"claim one: test: key 'size': .*within, with or without about",
    ),
    "a metric that is to grow to itself": (
        claim({"kind": "increasing", "pairs": [PAIR], "metrics": ["AP50", "AP60", "AP50"]}),
        r"claim one: key test\.metrics: twice: \['AP50'\]",
    ),
    "unknown metric of a number of the prose": (
        claim(published={"r50": {"AP_50": 1.0}}),
        r"claim one: unknown metric 'AP_50'; did you mean 'AP50'\?",
    ),
    "unknown run that is no rival": (
        claim(
            {
                "kind": "above_published",
                "run": "r50",
                "metric": "AP",
                "table": "table8",
                "ours": ["r51"],
            }
        ),
        r"claim one: unknown run 'r51'; did you mean 'r50'\?",
    ),
    "numbers printed in no figure": (
        claim(printed_in="figure7"),
        r"claim one: key printed_in: unknown figure 'figure7'; did you mean 'figure6'\?",
    ),
    "numbers that the figure does not print": (
        claim({**GAIN, "metrics": ["AP75"]}, printed_in="figure6"),
        r"claim one: key printed_in: figure6 prints no AP75 of r50",
    ),
    "rivals from no table": (
        claim(
            {"kind": "above_published", "run": "r50", "metric": "AP", "table": "table9", "ours": []}
        ),
        r"claim one: unknown table 'table9'; did you mean 'table8'\?",
    ),
    "rivals that are not there": (
        claim(
            {
                "kind": "above_published",
                "run": "tsd_pc",
                "metric": "AP",
                "table": "table8",
                "ours": [],
                "where": {"backbone": ["ResNet-102"]},
            }
        ),
        r"claim one: key test\.where\.backbone: unknown value 'ResNet-102'; did .* 'ResNet-101'\?",
    ),
    "no rival but ours": (
        claim(
            {
                "kind": "above_published",
                "run": "tsd_pc",
                "metric": "AP50",
                "table": "table8",
                "ours": ["tsd_pc"],
            }
        ),
        r"claim one: no row of table8 is a rival with a AP50",
    ),
    "no mapping": ("q", r"claim number 1: expected keys and values, found str"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_file_claim_key_and_the_nearest_valid_choice(tmp_path, declared, mistake):
    entry, message = MISTAKES[mistake]
    with pytest.raises(DeclarationError, match=rf"claims\.yaml: {message}"):
        load(tmp_path, declared, entry)


def test_two_claims_of_one_id(tmp_path, declared):
    with pytest.raises(DeclarationError, match=r"claim one: id 'one' is declared already"):
        load(tmp_path, declared, claim(), claim())


def test_a_file_that_is_no_list(tmp_path, declared):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": []}))
    with pytest.raises(DeclarationError, match=r"claims\.yaml: expected a list, found dict"):
        load_claims(path, declared)


def test_a_claim_may_name_the_figure_that_prints_its_numbers(tmp_path, declared):
    test = {"kind": "increasing", "pairs": [PAIR], "metrics": ["AP50", "AP60"]}
    loaded = load(tmp_path, declared, claim(test, printed_in="figure6"))["one"]
    assert loaded.printed_in == "figure6"
