import csv
import html
import re
from pathlib import Path

import pytest

from tests.reporting.conftest import NASTY, REASON, counted, make_results, row, run, training
from tests.reporting.conftest import table as make_table
from tsd.reporting import summary
from tsd.reporting.collect import job_state
from tsd.reporting.page import headline, write_pages, write_parts
from tsd.reporting.wording import number, signed, width
from tsd.results.collected import State
from tsd.results.records import LatencyRecord, TrackingRecord

PRINTED = {"base": 36.0, "up": 38.0, "down": 38.0, "also": 39.0}

TEMPLATES = Path("tsd/reporting/templates")


def whole_report(collected):
    write_parts(collected)
    return write_pages(collected)


@pytest.fixture
def page(collected):
    return whole_report(collected).read_text(encoding="utf-8")


def visible(text):
    return html.unescape(
        re.sub(r"<[^>]+>", "", re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S))
    )


def test_report_writes_pages_tables_and_figures(collected):
    assert whole_report(collected) == collected.with_name("index.html")
    written = {str(p.relative_to(collected.parent)) for p in collected.parent.rglob("*.*")}
    assert {"index.html", "report.md", "figures/gains.png", "figures/gains.svg"} <= written
    assert {"tables/options.csv", "tables/options.md", "tables/options.tex"} <= written


@pytest.mark.parametrize("comparable", [True, False])
def test_html_shows_the_csvs_numbers(results, collected, comparable):
    for one in results.runs.values():
        one.is_comparable = comparable
    results.write(collected)
    page = whole_report(collected).read_text(encoding="utf-8")
    for table in ("options", "others"):
        section = re.search(rf'<section id="table-{table}">(.*?)</section>', page, re.S)[1]
        cells = {
            name: [
                visible(re.sub(r"<small.*?</small>", "", cell, flags=re.S)).strip()
                for cell in re.findall(rf'<td class="(?:first )?{name}[ "].*?</td>', section, re.S)
            ]
            for name in ("measured", "published", "difference", "gain", "published-gain")
        }
        with (collected.parent / "tables" / f"{table}.csv").open(encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        if not comparable:
            assert cells.pop("difference") == []
            assert {line["difference"] for line in lines} == {""}
        printed = {line["metric"] for line in lines if line["published"]}
        for name, words in cells.items():
            write = number if name in ("measured", "published") else signed
            of_paper = [line for line in lines if line["metric"] in printed]
            with_column = of_paper if name.startswith("published") else lines
            if name == "published-gain":
                gained = {line["metric"] for line in lines if line["published_gain"]}
                with_column = [line for line in lines if line["metric"] in gained]
            for word, line in zip(words, with_column, strict=True):
                value = line[name.replace("-", "_")]
                if value or name != "measured":
                    assert word == write(float(value) if value else None, 1)


def test_links_resolve(page, collected):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)
    files = {t for t in targets if not t.startswith(("#", "data:"))} - {"../../docs/decisions.md"}
    assert all((collected.parent / target).exists() for target in files)


def test_measured_numbers_link_to_the_card_of_their_run(page):
    assert re.search(r'<a href="#run-better">33\.0</a>', page)
    assert re.search(r'<article class="card" id="run-better">', page)


def test_a_card_has_ap_at_one_iou_only_where_a_table_of_the_run_shows_it(results):
    results.runs["better"] = run(training(AP=33.0, APs50=40.0), tables=["options"])
    assert list(summary.metrics_of(results, "better")) == ["AP"]
    results.table("options").metrics.append("APs50")
    assert list(summary.metrics_of(results, "better")) == ["AP", "APs50"]


def test_without_claims_there_is_no_section_of_them(page):
    assert 'id="claims"' not in page


def test_nothing_external_and_no_script_but_that_which_sorts(page):
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert script.strip() == (TEMPLATES / "sorting.js").read_text(encoding="utf-8").strip()
    assert "<script" not in page.replace(f"<script>{script}</script>", "")
    assert not re.search(r"https?://|url\(|@import|<link", page)


def test_labels_differences_and_reasons_are_escaped(page):
    assert NASTY.replace("P̂_c", "P̂c") in visible(page)
    assert "<B>" not in page
    assert 'model.a = {"type": "<B>"}' in visible(page)
    assert "<b>became" not in page
    assert visible(page).count(REASON) >= 2


def test_no_cell_shows_a_placeholder(page, collected):
    words = [visible(cell).strip() for cell in re.findall(r"<td.*?</td>", page, re.S)]
    assert not {"nan", "NaN", "None", "-1", "−1", "-1.0"} & set(words)
    text = (collected.parent / "report.md").read_text(encoding="utf-8")
    assert "None" not in text


def test_dirty_trainings_are_told(page):
    assert "0123456789, dirty" in visible(page)


def test_banner_of_another_scale_comes_first(page):
    body = page[page.index("<body>") :]
    assert body.index("not the paper’s AP") < body.index("<main>")


def test_banner_of_the_papers_scale(results, collected):
    results.scale.is_paper = True
    results.write(collected)
    page = whole_report(collected).read_text(encoding="utf-8")
    assert "not the paper’s AP" not in page
    assert "numbers may be compared with the paper’s" in page


@pytest.mark.parametrize(
    ("seeds", "phrase", "caveat"),
    [
        ([1, 1], "1 seed per run", "not even the direction"),
        ([2, 2], "2 seeds per run", "not clearly larger than its ±"),
        ([1, 3], "1 to 3 seeds per run", "where a run has one seed"),
        ([1, 2, 2, 2], "1 to 2 seeds per run", "its spread is unknown there"),
        ([1, 2, 2, 2, 3], "1 to 3 seeds per run", "from the runs that have several"),
        ([2, 3], "2 to 3 seeds per run", "not clearly larger than its ±"),
        ([0, 0], "no run evaluated", "No run is evaluated"),
        ([0, 1], "1 seed per run", "not even the direction"),
    ],
)
def test_seed_caveat_counts_finished_seeds(seeds, phrase, caveat):
    runs = {
        str(number): run(training("not run"), *[training(AP=1.0)] * count)
        for number, count in enumerate(seeds)
    }
    results = make_results([], runs)
    assert summary.seeds_phrase(results) == phrase
    assert caveat in summary.seed_caveat(results)


def test_runs_without_results_are_counted_apart():
    without = run(training("failed"), training("not run"))
    with_results = run(training(AP=1.0), training("not run"))
    said = [
        summary.runs_phrase(make_results([], runs))
        for runs in ({"a": with_results}, {"a": with_results, "b": without, "c": without})
    ]
    assert said == ["1 run", "3 runs, 2 without results"]


def test_state_counts_and_directions(results):
    counts = summary.state_counts(results)
    assert counts == {"evaluated": 6, "failed": 2, "interrupted": 1, "running": 1, "not run": 1}
    agreements = {(g.row.run, g.agrees) for g in summary.compared_gains(results)}
    assert agreements == {("better", True), ("single", False), ("half", True)}


def test_a_card_names_the_device_of_a_runtime(collected, results):
    results.runs["single"].seeds[0].latency = LatencyRecord(
        key="", median_ms=1, p10_ms=1, p90_ms=1, calls=1, images=1, device="<V100>", threads=2
    )
    results.write(collected)
    page = visible(whole_report(collected).read_text(encoding="utf-8"))
    assert "<V100>, 2 threads" in page


def test_a_gain_that_stands_in_two_tables_counts_once(results):
    before = summary.agreement(results)
    assert before == "Of 4 measured gains 1 is within the noise and 3 have no interval."
    results.tables.append(results.tables[0].model_copy(update={"id": "again"}))
    assert summary.agreement(results) == before


def gain_over_base(results, run):
    found = [
        gain
        for gain in summary.compared_gains(results)
        if (gain.row.run, gain.row.baseline) == (run, "base")
    ]
    return found[0] if found else None


def test_runs_of_one_training_give_one_gain(results):
    again = make_table("more", row("Again", "again", "base", AP=40.0), metrics=["AP"])
    results.tables.append(again)
    results.runs["again"] = results.runs["better"].model_copy()
    assert gain_over_base(results, "again") is None
    assert gain_over_base(results, "better").tables == ("options", "more")
    assert gain_over_base(results, "better").published == (2.5, 4.0)
    assert "Of 4 measured gains" in summary.agreement(results)
    results.runs["again"].digest = "another"
    assert gain_over_base(results, "again").published == (4.0,)
    assert "Of 5 measured gains" in summary.agreement(results)


def test_gains_point_somewhere_where_their_intervals_leave_out_zero():
    rows = [
        make_table("options", *[row(name, name, "base", AP=AP) for name, AP in PRINTED.items()])
    ]

    def said(**gains):
        runs = {"base": run(*[training(AP=30.0 + noise) for noise in (0, 0.2, 0.4)])}
        for name, gain in gains.items():
            runs[name] = run(*[training(AP=30.0 + gain + noise) for noise in (0, 0.2, 0.4)])
        return summary.agreement(make_results(rows, runs))

    assert said(up=3.0) == "1 of 1 measured gain points the paper’s way."
    assert said(up=3.0, down=-3.0, also=2.0) == (
        "2 of 3 measured gains point the paper’s way and 1 the other way."
    )
    assert said(up=3.0, down=-3.0, also=0.1) == (
        "1 of 3 measured gains points the paper’s way, 1 the other way and 1 is within the noise."
    )
    assert said(up=0.03) == "Of 1 measured gain none is beyond the noise."


def test_gains_without_an_interval_are_told_apart_from_noise():
    rows = [make_table("options", row("up", "up", "base", AP=38.0), row("base", "base", AP=36.0))]
    runs = {"base": run(training(AP=30.0)), "up": run(training(AP=33.0))}
    assert summary.agreement(make_results(rows, runs)) == (
        "Of 1 measured gain none has an interval."
    )


@pytest.mark.parametrize(("value", "agrees"), [(30.52, False), (30.58, True)])
def test_a_gain_that_is_written_as_zero_points_nowhere(results, value, agrees):
    for seed in results.runs["better"].seeds.values():
        seed.metrics["AP"] = value
    assert gain_over_base(results, "better").agrees == agrees


def test_what_fails_after_the_metrics_takes_nothing_from_them():
    assert job_state({"state": "failed"}, evaluated=True) is State.EVALUATED
    assert job_state({"state": "failed"}, evaluated=False) is State.FAILED


def test_report_without_any_result(collected, results):
    for entry in results.runs.values():
        entry.seeds = {0: training("not run")}
    results.write(collected)
    assert "No run is evaluated" in whole_report(collected).read_text(encoding="utf-8")


def test_a_training_that_is_not_in_mlflow_says_why(collected, results):
    results.runs["single"].seeds[0].tracking = TrackingRecord(error="the store is <away>")
    results.write(collected)
    assert "the store is <away>" in visible(whole_report(collected).read_text(encoding="utf-8"))
    single = (collected.parent / "tables" / "options.csv").read_text(encoding="utf-8")
    assert "untracked" in single


def test_headline_fits_a_terminal_and_shows_every_row(results):
    text = headline(results)
    assert all(width(line) <= 100 for line in text.splitlines())
    line = next(line for line in text.splitlines() if "One seed" in line)
    assert line.split()[2:] == ["29.0", "37.0", "−1.5", "+1.0", "evaluated"]
    assert "seed 0 failed: RuntimeError" in text
    assert "not the paper’s AP" in " ".join(text.split())
    assert "nan" not in re.sub("became</b> nan", "", text)


def test_a_table_names_the_network_beside_the_papers_label(page):
    section = re.search(r'<section id="table-options">(.*?)</section>', page, re.S)[1]
    assert "Network of all rows: ResNet-18, FPN-48, 160\u00a0px" in section
    assert "ResNet-18, FPN-48, 160 px" in card(page, "single")


def card(page, run):
    return visible(
        re.search(rf'<article class="card" id="run-{run}">(.*?)</article>', page, re.S)[1]
    )


@pytest.fixture
def checked(results, collected):
    """The page of results on data that were checked, the digits standing in for a run's data."""
    results.data["embedded"].check = counted(
        results.dataset, {"one": 60, "<two>": 3}, notes=["Look at <this>."], empty=7
    )
    results.runs["better"].seeds[0].per_class.update({"one": 31.25, "<two>": 12.5})
    results.runs["single"].is_about_these_data = False
    results.runs["single"].papers_data = "Open <Images>"
    results.write(collected)
    return whole_report(collected).read_text(encoding="utf-8")


def test_the_data_are_shown_and_counted_on_the_first_screen(checked, collected):
    section = visible(re.search(r'<section id="data">(.*?)</section>', checked, re.S)[1])
    assert "Look at <this>." in section
    assert re.search(r"Images\s*40\s*1,234", section)
    assert re.search(r"below one pixel.*?7\s*—", section, re.S)
    assert "training: 40 images, 126 objects" in visible(checked[: checked.index("<nav")])
    text = (collected.parent / "report.md").read_text(encoding="utf-8")
    assert "| Images | 40 | 1,234 |" in text
    assert "- Look at &lt;this>." in text


def test_each_card_says_on_how_much_a_run_was_evaluated(checked):
    assert "validation set1,234 images, 63 objects" in card(checked, "better")


def test_a_run_about_other_data_has_a_card_with_its_numbers_and_fills_no_row(checked):
    found = card(checked, "single")
    assert "stands in for “Open <Images>”: the run fills no row and decides no claim" in found
    assert re.search(r"AP \(%\)\s*29\.000", found)
    section = re.search(r'<section id="table-options">(.*?)</section>', checked, re.S)[1]
    row = visible(re.search(r">One seed\s.*?</tr>", section, re.S)[0])
    assert "29.0" not in row
    assert row.count("not on this data") == 1


def test_ap_of_each_class_is_shown_with_its_objects(checked, collected):
    section = visible(re.search(r'<section id="per-class">(.*?)</section>', checked, re.S)[1])
    assert re.search(r"one\s*120\s*60\s*31\.2", section)
    assert section.index("one") < section.index("<two>")
    text = (collected.parent / "report.md").read_text(encoding="utf-8")
    assert "| &lt;two> | 6 | 3 (few) | 12.5 |" in text
    with (collected.parent / "per_class.csv").open(encoding="utf-8") as file:
        assert {line["AP"] for line in csv.DictReader(file)} == {"31.25", "12.5"}


def test_metrics_of_few_objects_are_marked(checked):
    section = re.search(r'<section id="table-options">(.*?)</section>', checked, re.S)[1]
    heads = re.findall(r'<small class="(objects[^"]*)">(.*?)</small>', section)
    assert heads == [("objects", "63 objects"), ("objects few", "21 objects")]
    assert "Fewer than 30 objects are behind AP l" in section


def test_without_ap_of_classes_there_is_no_section_of_them(page):
    assert 'id="per-class"' not in page
