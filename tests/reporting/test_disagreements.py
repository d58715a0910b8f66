import pytest

from tests.reporting.claims import results
from tests.reporting.conftest import figure, row, table
from tsd.experiments.inconsistencies import Inconsistency, PaperNumber
from tsd.reporting import page
from tsd.reporting.disagreements import disagreements, paper_number

PRINTED = table(
    "table1",
    row("b", "b", AP=36.1, params=40.0),
    row("a", "a", "b", AP=38.2, params=44.0),
    metrics=["AP", "params"],
)
CURVE = figure(
    "figure6",
    "iou",
    {"label": "b", "run": "b", "published": [58.1, 53.0]},
    metrics=("AP50", "AP60"),
)


def number(**said):
    return {"where": "Section 1", **said}


def inconsistency(here, *there, unit="AP"):
    entry = {"id": "one", "what": "w", "unit": unit, "handling": "h", "here": here, "there": there}
    return Inconsistency.model_validate({**entry, "there": list(there)})


GAIN = number(table="table1", run="a", baseline="b", metric="AP")
IN_FIGURE = number(figure="figure6", run="b", metric="AP60")


@pytest.fixture
def found():
    found = results({}, tables=[PRINTED], figures=[CURVE])
    here = number(words="∼4%", printed=[3.5, 4.5])
    found.inconsistencies = [inconsistency(here, GAIN, IN_FIGURE)]
    return found


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (number(printed=[3.0, 5.0]), (3.0, 5.0)),
        (number(printed=[3.0]), (3.0, 3.0)),
        (number(words="slight"), None),
        (number(table="table1", run="a", metric="AP"), (38.2, 38.2)),
        (GAIN, (2.1, 2.1)),
        (number(table="table1", run="a", baseline="b", relative=True, metric="params"), (1.1, 1.1)),
        (IN_FIGURE, (53.0, 53.0)),
    ],
)
def test_a_number_comes_from_the_prose_a_table_or_a_figure(found, source, value):
    assert paper_number(found, PaperNumber.model_validate(source)) == value


def test_a_number_that_was_not_collected_is_an_error(found):
    found.tables = []
    with pytest.raises(KeyError, match="Section 1: nothing printed for a"):
        paper_number(found, PaperNumber.model_validate(GAIN))


def test_an_inconsistency_is_written_with_the_numbers_it_refers_to(found):
    (written,) = disagreements(found)
    assert written.inconsistency is found.inconsistencies[0]
    assert written.here == ("Section 1", "“∼4%”")
    assert written.there == [("Section 1", "+2.1 AP"), ("Section 1", "53.0 AP")]


def test_a_range_without_words_is_written_from_end_to_end(found):
    found.inconsistencies = [inconsistency(number(printed=[3, 5]), GAIN, unit="")]
    (written,) = disagreements(found)
    assert written.here[1] == "3.0 to 5.0"
    assert written.there[0][1] == "+2.1"


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_the_section_shows_both_numbers_and_what_is_done(found, suffix):
    content = {"results": found, "judged": [], "differing": disagreements(found)}
    text = page._environment().get_template(f"claims.{suffix}.j2").render(content)
    assert "“∼4%”" in text
    assert "+2.1 AP" in text
    assert "what this project does about" in text
