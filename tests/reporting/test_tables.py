import csv
import io
import re

import pytest

from tests.reporting.conftest import counted, row, table
from tsd.reporting import tables
from tsd.reporting.tables import to_csv, to_latex, to_markdown, write_table
from tsd.reporting.wording import number, signed

BY_SIZE_AND_IOU = [f"AP{size}{iou}" for size in "sml" for iou in (50, 60, 70, 80, 90)]


def lines_of(results, table_id="options"):
    return list(csv.DictReader(io.StringIO(to_csv(results, results.table(table_id)))))


def rows_of_latex(text):
    return [line for line in text.splitlines() if re.search(r"(?<!\\)&", line)]


def test_csv_has_a_line_for_each_row_and_metric(results):
    lines = lines_of(results)
    assert len(lines) == 10 * 3
    better = next(line for line in lines if line["run"] == "better" and line["metric"] == "AP")
    assert float(better["measured"]) == 33.0
    assert float(better["sd"]) == 2**0.5
    assert better["seeds"] == "0 1"
    assert better["digest"] == results.runs["better"].digest
    assert better["network"] == "ResNet-18, FPN-48, 160 px"
    assert better["dataset"] == "embedded"
    assert better["mlflow_run_ids"] == "f00d f00d"
    assert better["commits"] == "0123456789abcdef+dirty 0123456789abcdef+dirty"


def test_csv_leaves_what_is_missing_empty_and_says_why(results):
    for line in lines_of(results):
        assert bool(line["measured"]) == (line["state"] in ("evaluated", "partial"))
    waiting = next(line for line in lines_of(results) if line["run"] == "waiting")
    assert (waiting["state"], waiting["seeds"], waiting["gain"]) == ("not run", "", "")


def test_csv_keeps_all_digits(results):
    results.runs["single"].seeds[0].metrics["AP"] = 100 / 3
    single = next(x for x in lines_of(results) if x["run"] == "single" and x["metric"] == "AP")
    assert float(single["measured"]) == 100 / 3


@pytest.mark.parametrize("comparable", [True, False])
def test_all_formats_show_the_csvs_numbers(results, comparable):
    for one in results.runs.values():
        one.is_comparable = comparable
    columns = 5 if comparable else 4
    table = results.table("options")
    shown = [line for line in to_markdown(results, table).splitlines() if line.startswith("| ")]
    in_markdown = [
        [word.strip() for word in re.split(r"(?<!\\)\|", line)[-columns - 1 : -1]]
        for line in shown
        if "Measured" not in line and "---" not in line
    ]
    in_latex = [
        [
            word.strip().replace("$-$", "−").replace(r"$\pm$", "±").replace("---", "—")
            for word in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))[-columns:]
        ]
        for line in rows_of_latex(to_latex(results, table))
        if "Measured" not in line
    ]
    lines = sorted(lines_of(results), key=lambda line: table.metrics.index(line["metric"]))
    assert in_markdown == in_latex
    assert len(in_markdown) == len(lines)
    for words, line in zip(in_markdown, lines, strict=True):
        values = {
            head: float(line[head]) if line[head] else None
            for head in ("measured", "published", "difference", "gain", "published_gain")
        }
        if values["measured"] is not None:
            assert words[0].split()[0] == number(values["measured"], 1)
        assert words[1] == number(values["published"], 1)
        if comparable:
            assert words[2] == signed(values["difference"], 1)
        else:
            assert values["difference"] is None
        assert words[-2].split()[0] == signed(values["gain"], 1)
        assert words[-1] == signed(values["published_gain"], 1)


@pytest.mark.parametrize("write", [to_markdown, to_latex])
def test_states_are_words_with_a_legend(results, write):
    text = write(results, results.table("options"))
    for word in ("failed", "not run", "interrupted", "running", "literature", "not collected"):
        assert text.count(word) >= 2
    assert "n/a: the training is evaluated" in text
    assert "1 of 2 seeds" in text
    assert "standard error of the difference" in text
    assert not re.search(r"[|&]\s*(nan|None|-1(\.0)?)\s*[|&\\]", text)


def test_markdown_columns_hold_despite_special_characters(results):
    text = to_markdown(results, results.table("options"))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {9}
    assert "<script>" not in text
    assert r"A\|B &amp; c_d &lt;script>" in text


def test_latex_escapes_and_keeps_its_columns(results):
    text = to_latex(results, results.table("options"))
    assert r"A\textbar{}B \& c\_d \textless{}script\textgreater{}" in text
    assert r"100\% $\Delta$C $\hat{P}_{\mathrm{c}}$" in text
    assert r"$M_{\mathrm{cls}}$" in text
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows_of_latex(text)} == {5}
    unescaped = re.sub(r"\\[{}$%&#_]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0


@pytest.mark.parametrize("write", [to_markdown, to_latex])
def test_a_table_says_what_its_numbers_are_of(results, write):
    results.data["embedded"].check = counted(results.dataset, {"one": 60})
    for one in results.runs.values():
        one.is_on_papers_data = False
    results.runs["single"].network = "MobileNetV2, 320 px"
    text = write(results, results.table("options"))
    assert "MobileNetV2, 320 px" in text
    assert "Measured values are of “Digits”, the paper’s of “COCO 2017”." in text
    assert "left out because the scale is not the paper’s and the data are not" in text
    assert "AP rests on 60 objects; AP l rests on 20 objects." in text
    assert "Fewer than 30 objects are behind AP l" in text
    assert "not on this data" not in text
    results.runs["single"].is_about_these_data = False
    text = write(results, results.table("options"))
    assert "MobileNetV2, 320 px" not in text
    assert text.count("not on this data") >= 4


def test_markdown_and_csv_name_the_objects_of_each_metric(results):
    results.data["embedded"].check = counted(results.dataset, {"one": 60})
    text = to_markdown(results, results.table("options"))
    assert "**AP (%)**, of 60 objects" in text
    assert "**AP l (%)**, of 20 objects" in text
    assert re.search(r"\*\*#param \(M\)\*\*\n", text)
    objects = {(line["run"], line["metric"]): line["objects"] for line in lines_of(results)}
    assert objects["better", "APl"] == "20"
    assert objects["better", "params"] == objects["", "AP"] == ""


@pytest.mark.parametrize(
    ("metrics", "columns", "bands"),
    [
        (["params", "AP", "AP50", "AP75"], 5, [4]),
        (["AP", "AP50", "AP75", "mask_AP", "mask_AP50", "mask_AP75"], 4, [3, 3]),
        (["AP", "AP50", "AP75", "APs", "APm", "APl"], 2, [6]),
        (["AP", "AP50", "AP75", "APs", "APm", "APl"], 4, [5, 1]),
        (BY_SIZE_AND_IOU, 4, [5, 5, 5]),
        (BY_SIZE_AND_IOU, 5, [3, 2, 3, 2, 3, 2]),
    ],
)
def test_a_wide_table_is_parted_between_kinds_of_objects(results, metrics, columns, bands):
    wide = table("wide", row("Row", "base"), metrics=metrics)
    found = tables.bands(results, wide, columns)
    assert [len(band) for band in found] == bands
    assert [metric for band in found for metric in band] == metrics


@pytest.mark.parametrize("write", [to_markdown, to_latex])
def test_every_table_says_what_its_numbers_are_and_why_some_failed(results, write):
    text = write(results, results.table("options"))
    assert "not the paper’s AP" in text
    assert "RuntimeError: loss" in text
    assert "File x" not in text


def test_write_table_writes_three_files(collected, tmp_path):
    write_table(collected, "others", tmp_path / "tables")
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {"others.csv", "others.md", "others.tex"}
