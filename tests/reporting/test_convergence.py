"""Whether a baseline still climbs at the end of its training, said in the report's banner."""

import pytest

from tests.reporting.conftest import training
from tests.reporting.lengths import at, followed, results_of
from tsd.reporting.convergence import baseline_of, convergence_remark, length_phrase
from tsd.reporting.page import headline, write_pages, write_parts
from tsd.reporting.summary import scale_caveat


def report(results, folder):
    """The banner of the page, and the page in Markdown."""
    results.write(folder / "results.json")
    write_parts(folder / "results.json")
    page = write_pages(folder / "results.json").read_text(encoding="utf-8")
    banner = page[page.index('<header class="banner') : page.index("</header>")]
    return banner, (folder / "report.md").read_text(encoding="utf-8")


def by_length(reached_later, **others):
    """A baseline that reaches 40 at this scale's length, and so much when trained for longer."""
    lengths = [at(1, r50=[40.0]), at(3, "mini_3x", r50=[reached_later]), at(9, "mini_9x")]
    return results_of(r50=[followed(40.0, **others)], tsd=[followed(50.0)], lengths=lengths)


def on_the_way(before):
    """A baseline that reaches 40, and had reached so much after three quarters of its training."""
    return results_of(r50=[followed(40.0, after_825=before)], tsd=[followed(50.0)])


CLIMBING = (
    "The trainings end while the baseline (r50) still climbs: it gains 14.3 AP when trained 3 "
    "times as long (3,300 iterations, grid mini_3x). Gains over it may be gains in speed alone."
)


def test_a_longer_variant_shows_that_the_baseline_climbs(tmp_path):
    results = by_length(54.3)
    assert convergence_remark(results) == CLIMBING
    banner, markdown = report(results, tmp_path)
    assert CLIMBING in banner
    assert CLIMBING in markdown.replace("\\", "")
    assert "still climbs" in headline(results)


def test_a_longer_variant_shows_that_the_baseline_is_level(tmp_path):
    banner, _ = report(by_length(41.9), tmp_path)
    assert "climbs" not in banner
    assert (
        "The baseline (r50) gains 1.9 AP when trained 3 times as long (3,300 iterations, grid "
        "mini_3x), which is no more than 5% of what it reaches here." in banner
    )


def test_more_than_the_declared_part_is_climbing():
    assert "still climbs" not in convergence_remark(by_length(42.0))
    assert "still climbs" in convergence_remark(by_length(42.1))


def test_a_baseline_that_loses_does_not_climb():
    remark = convergence_remark(by_length(38.0))
    assert remark.startswith("The baseline (r50) gains nothing when trained 3 times as long")
    assert remark.endswith("it loses 2.0 AP.")


def test_the_last_part_of_the_training_tells_where_there_is_no_longer_one(tmp_path):
    climbing, level = (report(on_the_way(before), tmp_path)[0] for before in (30.0, 39.0))
    assert (
        "still climbs: it gains 10.0 AP in the last 25% of its training. Gains over it may be "
        "gains in speed alone. A part of that is the learning rate’s, which comes down there."
        in climbing
    )
    assert "gains 1.0 AP in the last 25% of its training, which is no more than 5%" in level
    assert "climbs" not in level


def test_a_longer_variant_decides_against_the_last_part():
    assert "still climbs" not in convergence_remark(by_length(40.5, after_825=20.0))
    assert "still climbs" in convergence_remark(by_length(55.0, after_825=40.0))


def test_a_shorter_variant_says_nothing_of_the_baseline():
    results = by_length(54.3)
    results.lengths = [at(1 / 3, "short", r50=[10.0]), at(1, r50=[40.0])]
    assert convergence_remark(results) == (
        "Nobody measured whether the baseline (r50) would gain by a longer training."
    )


def test_nothing_is_said_where_there_is_nothing_to_say():
    assert convergence_remark(results_of(r50=[training("failed")], tsd=[followed(50.0)])) == ""
    assert convergence_remark(results_of(tsd=[followed(50.0)])) == ""
    paper = results_of(r50=[followed(40.0, after_825=1.0)], tsd=[followed(50.0)], is_paper=True)
    assert convergence_remark(paper) == ""


def test_the_baseline_is_the_one_that_most_rows_have():
    results = results_of(r50=[followed(40.0)], tsd=[followed(50.0)], pc=[followed(51.0)])
    assert baseline_of(results) == "r50"
    assert baseline_of(results_of(r50=[followed(40.0)])) is None


@pytest.mark.parametrize(
    ("runs", "phrase"),
    [
        ({"r50": [followed(40.0)]}, "1,100 iterations"),
        ({"r50": [followed(40.0)], "tsd": [followed(1, length=300)]}, "300 to 1,100 iterations"),
        ({"r50": [training("failed")]}, ""),
    ],
)
def test_a_caveat_says_at_which_length_it_holds(runs, phrase):
    results = results_of(**runs)
    assert length_phrase(results) == phrase
    assert ("of training" in scale_caveat(results)) == bool(phrase)
    assert phrase in scale_caveat(results)
