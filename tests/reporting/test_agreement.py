import pytest

from tests.reporting.claims import measured
from tests.reporting.conftest import make_results, row, table
from tsd.reporting.agreement import agreement_remarks
from tsd.reporting.cells import fill
from tsd.reporting.tables import to_latex, to_markdown


def remarks(values, within=0.2, is_paper=True, write=None):
    rows = [row("one", "one", AP=40.9), row("two", "two", AP=42.3), row("three", "three")]
    declared = table("weights", *rows, metrics=["AP"]).model_copy(update={"within": within})
    runs = measured(**{name: [value] for name, value in values.items()})
    results = make_results([declared], runs, is_paper)
    if write is not None:
        return write(results, declared)
    return agreement_remarks(results, declared, fill(results, declared))


def test_values_within_the_tolerance_are_confirmed():
    (text,) = remarks({"one": 40.7, "two": 42.5, "three": 1.0})
    assert text == (
        "Of 2 measured values with a published one, 2 lie within 0.2 of it: the published numbers "
        "are confirmed."
    )


def test_the_others_are_named_with_their_differences():
    (text,) = remarks({"one": 40.69, "two": 42.3})
    assert text.startswith("Of 2 measured values with a published one, 1 lies within 0.2 of it: ")
    assert text.endswith("the others are not confirmed, which are one, AP (%) (−0.21).")


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({"three": 40.9}, {}),
        ({}, {}),
        ({"one": 40.9}, {"within": None}),
        ({"one": 40.9}, {"is_paper": False}),
    ],
)
def test_nothing_is_said_without_values_to_compare_or_a_tolerance(values, options):
    assert remarks(values, **options) == []


@pytest.mark.parametrize("write", [to_markdown, to_latex])
def test_it_stands_below_the_table(write):
    assert "the published numbers are confirmed" in remarks({"one": 40.9}, write=write)
