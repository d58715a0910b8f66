from pathlib import Path

import pytest
import yaml

from tsd.experiments.inconsistencies import load_inconsistencies
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError


def entry(*there, **changes):
    return {
        "id": "one",
        "what": "w",
        "unit": "%",
        "here": {"where": "Section 1", "printed": [3, 5]},
        "there": [{"where": "there", **number} for number in there],
        "handling": "h",
        **changes,
    }


def load(folder, declared, *entries):
    path = folder / "inconsistencies.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return load_inconsistencies(path, declared)


def test_the_declared_inconsistencies_load():
    folder = Path("experiments")
    found = load_inconsistencies(folder / "inconsistencies.yaml", load_experiments(folder))
    assert len(found) >= 15


@pytest.mark.parametrize(
    "number",
    [
        {"table": "table8", "run": "tsd_pc", "metric": "AP50"},
        {"figure": "figure6", "run": "tsd_pc", "baseline": "r50", "metric": "AP60"},
        {"printed": [3.0]},
        {"words": "slight"},
        {"words": "∼4%", "printed": [3.5, 4.5]},
    ],
)
def test_a_number_stands_in_a_table_a_figure_or_the_prose(tmp_path, declared, number):
    loaded = load(tmp_path, declared, entry(number))["one"]
    assert loaded.there[0].model_dump(exclude_unset=True) == {"where": "there", **number}


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"table": "table8", "run": "tsd_pc", "metric": "AP75"}, "table8, tsd_pc: unknown number"),
        ({"table": "table8", "run": "r50", "metric": "AP"}, "table8, r50: unknown number 'AP'"),
        (
            {"table": "table8", "run": "tsd_pc", "baseline": "r50", "metric": "AP"},
            "table8, r50: unknown number 'AP'",
        ),
        (
            {"table": "tabel8", "run": "tsd_pc", "metric": "AP"},
            r"unknown table 'tabel8'; did you mean 'table8'\?",
        ),
        ({"table": "table8", "run": "tsd_pc"}, "a table's number needs run and metric"),
        (
            {"figure": "figure6", "run": "r50", "metric": "AP70"},
            "figure6, r50: unknown number 'AP70'",
        ),
        (
            {"figure": "figure6", "run": "drawn", "metric": "AP50"},
            "figure6, drawn: unknown number 'AP50'; known: none",
        ),
        (
            {"figure": "figure7", "run": "r50", "metric": "AP50"},
            r"unknown figure 'figure7'; did you mean 'figure6'\?",
        ),
        ({"figure": "figure6", "run": "r50"}, "a figure's number needs run and metric"),
        ({"table": "table8", "printed": [1.0]}, "say one of printed, table and figure"),
        ({}, "say one of printed, table and figure"),
    ],
)
def test_a_number_that_the_paper_does_not_print(tmp_path, declared, number, message):
    with pytest.raises(DeclarationError, match=rf"inconsistency one: .*{message}"):
        load(tmp_path, declared, entry(number))


def test_two_inconsistencies_of_one_id(tmp_path, declared):
    with pytest.raises(DeclarationError, match="inconsistency one: id 'one' is declared already"):
        load(tmp_path, declared, *[entry({"printed": [1.0]})] * 2)


def test_nothing_else_to_disagree_with(tmp_path, declared):
    with pytest.raises(DeclarationError, match="inconsistency one: key 'there'"):
        load(tmp_path, declared, entry())
