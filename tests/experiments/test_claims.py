import json
from pathlib import Path

import pytest
import yaml

from tsd.experiments.claims_schema import Claim, load_claims, load_inconsistencies
from tsd.experiments.load import DeclarationError, load_experiments
from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Figure, Table

DECLARED = Path("experiments")
RUNS = {"r50": None, "tsd_pc": None}
PAIR = {"run": "tsd_pc", "baseline": "r50"}
GAIN = {"kind": "gain", "pairs": [PAIR], "metrics": ["AP"], "direction": "up"}


@pytest.fixture
def tables():
    content = {
        "id": "table8",
        "title": "Others",
        "source": "Table 8",
        "attributes": ["backbone"],
        "metrics": ["AP", "AP50"],
        "rows": [
            {"label": "A", "attributes": {"backbone": "ResNet-101"}, "published": {"AP": 40.0}},
            {"label": "TSD", "run": "tsd_pc", "published": {"AP": 43.0, "AP50": 60.0}},
        ],
    }
    return {"table8": Table.model_validate(content)}


@pytest.fixture
def figures():
    series = [{"label": "b", "run": "r50", "published": [58.1, 53.3]}]
    content = {"id": "figure6", "title": "t", "source": "s", "kind": "iou", "series": series}
    return {"figure6": Figure.model_validate(content)}


def claim(test=GAIN, **changes):
    entry = {"id": "one", "quote": "q", "source": "Section 1", "statement": "s", "test": test}
    return {**entry, **changes}


def written(path, content):
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return path


def load(tmp_path, tables, *entries):
    return load_claims(written(tmp_path / "claims.yaml", list(entries)), RUNS, METRICS, tables)


def test_the_declared_claims_load_and_survive_being_collected():
    declared = load_experiments(DECLARED)
    claims = load_claims(DECLARED / "claims.yaml", declared.runs, METRICS, declared.tables)
    assert len(claims) >= 40
    for entry in claims.values():
        collected = json.loads(json.dumps(entry.model_dump()))
        assert Claim.model_validate(collected).model_dump() == entry.model_dump()


def test_the_declared_inconsistencies_load():
    declared = load_experiments(DECLARED)
    path = DECLARED / "inconsistencies.yaml"
    assert len(load_inconsistencies(path, declared.tables, declared.figures)) >= 15


def test_a_claim_knows_its_runs_and_metrics(tmp_path, tables):
    larger = {"kind": "larger_gain", "pairs": [PAIR], "quantities": [["APm"]], "than": ["APs"]}
    loaded = load(tmp_path, tables, claim(larger))["one"]
    assert loaded.runs == ["r50", "tsd_pc"]
    assert loaded.metrics == ["APm", "APs"]


MISTAKES = {
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
        claim({**GAIN, "metrics": ["AP57"]}),
        r"claim one: unknown metric 'AP57'; did you mean 'AP(50|75)'\?",
    ),
    "nothing expected": (
        claim({k: v for k, v in GAIN.items() if k != "direction"}),
        r"claim one: test: say direction, size or both",
    ),
    "a size both around and between": (
        claim({**GAIN, "size": {"within": 1, "at_least": 2}}),
        r"claim one: test: key 'size': .*within, with or without about",
    ),
    "a size around a number, not how near": (
        claim({**GAIN, "size": {"about": 3}}),
        r"claim one: test: key 'size': .*within, with or without about",
    ),
    "thresholds out of order": (
        claim({"kind": "increasing", "pairs": [PAIR], "iou": [0.6, 0.5]}),
        r"claim one: key test\.iou: not ascending",
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
def test_mistakes_name_file_claim_key_and_the_nearest_valid_choice(tmp_path, tables, mistake):
    entry, message = MISTAKES[mistake]
    with pytest.raises(DeclarationError, match=rf"claims\.yaml: {message}"):
        load(tmp_path, tables, entry)


def test_two_claims_of_one_id(tmp_path, tables):
    with pytest.raises(DeclarationError, match=r"claim one: id 'one' is declared already"):
        load(tmp_path, tables, claim(), claim())


def test_a_file_that_is_no_list(tmp_path, tables):
    path = written(tmp_path / "claims.yaml", {"claims": []})
    with pytest.raises(DeclarationError, match=r"claims\.yaml: expected a list, found dict"):
        load_claims(path, RUNS, METRICS, tables)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"table": "table8", "run": "tsd_pc", "metric": "AP75"}, "table8, tsd_pc: unknown number"),
        ({"table": "table8", "run": "r50", "metric": "AP"}, "table8, r50: unknown number 'AP'"),
        ({"table": "tabel8", "run": "tsd_pc", "metric": "AP"}, "unknown table .* 'table8'"),
        ({"table": "table8", "run": "tsd_pc"}, "a table's number needs run and metric"),
        ({"figure": "figure6", "run": "r50", "position": 2}, "has 2 published values, none at"),
        ({"figure": "figure6", "run": "tsd_pc", "position": 0}, "has 0 published values"),
        ({"figure": "figure7", "run": "r50", "position": 0}, "unknown figure 'figure7'; did"),
        ({"figure": "figure6", "run": "r50"}, "a figure's number needs run and position"),
        ({"table": "table8", "printed": [1.0]}, "say one of printed, table and figure"),
        ({}, "say one of printed, table and figure"),
    ],
)
def test_a_number_that_the_paper_does_not_print(tmp_path, tables, figures, number, message):
    entry = {
        "id": "one",
        "what": "w",
        "unit": "%",
        "here": {"where": "Section 1", "printed": [3, 5]},
        "there": [{"where": "there", **number}],
        "handling": "h",
    }
    path = written(tmp_path / "inconsistencies.yaml", [entry])
    with pytest.raises(DeclarationError, match=rf"inconsistency one: .*{message}"):
        load_inconsistencies(path, tables, figures)
