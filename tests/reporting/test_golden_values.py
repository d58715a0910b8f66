"""What runs are expected to measure is written by a command, and held against what they measure."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.cli.main import main
from tsd.experiments.golden import load_golden
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.reporting.collect import collect_all
from tsd.reporting.golden_values import UNKNOWN, golden_of, remark, remarks
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.tables import to_latex, to_markdown
from tsd.results.collected import Results, ResultsError


def with_values(**values):
    rows = [row(name.title(), name) for name in values]
    runs = {name: run(*(training(AP=ap) for ap in of_run)) for name, of_run in values.items()}
    return make_results([table("options", *rows, metrics=["AP"])], runs)


@pytest.fixture
def expected():
    return with_values(base=(30.0, 31.0), better=(33.0, 34.0, 35.0), single=(29.0,))


def again(expected, **values):
    """Results of the same configurations, with other values."""
    found = with_values(**values)
    for name in found.runs:
        found.runs[name].digest = expected.runs[name].digest
    found.golden = golden_of(expected)
    return found


def test_the_spread_is_pooled_and_the_tolerance_follows_from_it(expected):
    made = golden_of(expected)
    spread = math.sqrt((0.5 * 1 + 1.0 * 2) / 3)
    assert (made.freedom, made.spread) == (3, round(spread, 3))
    t_of_99_percent = 5.8409  # two-sided, three degrees of freedom
    for name, n in (("base", 2), ("better", 3), ("single", 1)):
        tolerance = t_of_99_percent * spread * math.sqrt(1 + 1 / n)
        assert made.runs[name].tolerance == pytest.approx(tolerance, abs=2e-3)
    assert made.runs["better"].ap == 34.0
    assert made.runs["better"].seeds == [0, 1, 2]
    assert made.runs["better"].digest == expected.runs["better"].digest
    assert made.runs["better"].devices == ["cpu"]
    assert made.runs["better"].commits == ["0123456789abcdef+dirty"]


def test_a_run_that_is_not_evaluated_has_no_golden_value(expected):
    expected.runs["single"] = run(training("failed"))
    assert "single" not in golden_of(expected).runs


@pytest.mark.parametrize("values", [{"base": (30.0,)}, {"base": (30.0, 30.0)}, {"base": ()}])
def test_without_a_spread_there_are_none(values):
    with pytest.raises(ResultsError, match="no run with two seeds whose AP differ"):
        golden_of(with_values(**values))


def test_another_protocol_does_not_tell_what_is_expected_of_the_grid(expected):
    expected.name, expected.protocol = "mini-released", "released"
    with pytest.raises(ResultsError, match="mini-released are of the protocol released"):
        golden_of(expected)


def test_what_lies_within_is_not_mentioned_and_what_lies_outside_is(expected):
    golden = golden_of(expected)
    ap, tolerance = golden.runs["base"].ap, golden.runs["base"].tolerance
    for sign in (-1, 1):
        inside = again(expected, base=(ap + sign * (tolerance - 0.01),))
        assert remark(inside, "base") == ""
        outside = again(expected, base=(ap + sign * (tolerance + 0.01),))
        assert remark(outside, "base").endswith(f"outside the expected 30.5 ± {tolerance:.2f}")
        assert remark(outside, "base").startswith(f"AP {ap + sign * (tolerance + 0.01):.1f} lies")


def test_the_mean_of_several_has_to_lie_closer(expected):
    golden = golden_of(expected).runs["base"]
    off = golden.ap + 0.9 * golden.tolerance
    assert remark(again(expected, base=(off,)), "base") == ""
    assert "lies outside" in remark(again(expected, base=(off, off, off)), "base")
    share = math.sqrt((1 / 3 + 1 / 2) / (1 + 1 / 2))
    at_the_edge = golden.ap + 0.999 * share * golden.tolerance
    assert remark(again(expected, base=(at_the_edge,) * 3), "base") == ""


def test_another_configuration_has_no_expected_value(expected):
    results = again(expected, base=(30.0,), better=(34.0,))
    results.runs["base"].digest = "0" * 10
    results.runs["added"] = run(training(AP=99.0))
    assert remark(results, "base") == remark(results, "added") == UNKNOWN
    assert remark(results, "better") == ""
    assert list(remarks(results, results.tables[0])) == [f"base: {UNKNOWN}"]


def test_without_golden_values_or_a_measured_one_nothing_is_said(expected):
    assert remark(expected, "base") == ""
    results = again(expected, base=(99.0,))
    assert remark(results, "base")
    results.runs["base"].seeds[0] = training("failed")
    assert [remark(results, name) for name in ("base", "absent", None)] == ["", "", ""]


def test_the_report_tells_beside_the_row(expected, tmp_path):
    results = again(expected, base=(90.0,), better=(34.0,))
    for text in (to_markdown, to_latex):
        assert "base: AP 90.0 lies outside the expected 30.5" in text(results, results.tables[0])
    path = tmp_path / "results.json"
    results.write(path)
    write_parts(path)
    page = write_pages(path).read_text()
    (beside,) = [part for part in page.split("<tr>") if 'class="unexpected"' in part]
    assert "AP 90.0 lies outside" in beside
    assert '<th scope="row" class="row">Base' in beside


def test_the_command_writes_what_the_grid_then_reads(expected, tmp_path):
    expected.write(tmp_path / "report" / "results.json")
    folder = tmp_path / "experiments"
    for place in ("report", "report/results.json"):
        main(["golden", f"--from={tmp_path / place}", f"--experiments={folder}"])
        assert load_golden(folder, "mini") == golden_of(expected)
    assert load_golden(folder, "paper") is None
    assert Results.read(tmp_path / "report" / "results.json").golden is None


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "golden").mkdir()
    path = tmp_path / "golden" / "mini.json"
    for text, key in (("{}", "grid"), ("x", "the whole"), ('{"gird": 1}', "grid")):
        path.write_text(text)
        with pytest.raises(DeclarationError, match=f"golden/mini.json: key {key}.*tsd golden"):
            load_golden(tmp_path, "mini")


def test_the_golden_values_of_a_grid_are_collected_and_shown_anew_when_they_change(expected):
    grid = open_grid({"scale": "smoke"})
    changed = replace(grid, golden=golden_of(expected))
    assert collect_all(changed).golden == golden_of(expected)
    assert changed.presentation() != replace(grid, golden=None).presentation()


def test_the_golden_values_of_the_repository_are_those_of_its_published_results():
    """They are never written by hand: where their results are published, they follow from them."""
    published = [Results.read(path) for path in Path("reports/published").glob("*/results.json")]
    for path in Path("experiments/golden").glob("*.json"):
        golden = load_golden(Path("experiments"), path.stem)
        assert golden.grid == path.stem
        for results in published:
            if (results.grid_name, results.generated) == (golden.grid, golden.collected):
                assert golden_of(results) == golden
