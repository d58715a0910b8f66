"""The report on a user's own data, from files of trainings to the pages."""

import csv
import re
import shutil
from argparse import Namespace

import pytest
import yaml

from tests.reporting.conftest import train_record
from tsd.cli import data_check_step, steps
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.settings import open_grid
from tsd.reporting.collect import collect
from tsd.reporting.page import headline, write_pages, write_parts
from tsd.reporting.provenance_file import reproduce_command
from tsd.reporting.wording import width
from tsd.results.collected import Results, State
from tsd.results.records import EvaluationRecord
from tsd.run_folder import update_status

CLASSES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def grid(tiny_data, tmp_path_factory):
    """The scale transfer on data of the user's, which are checked."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(tiny_data, folder / "data")
    own = {
        "id": "aquarium",
        "title": "Aquarium, ten classes of sea animals",
        "licence": "CC BY 4.0",
        "root": str(folder / "data"),
        "train": {"annotations": "annotations/train.json", "images": "train/"},
        "val": {"annotations": "annotations/val.json", "images": "val/"},
        "classes": CLASSES,
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(own))
    settings = {"scale": "transfer", "dataset": str(folder / "own.yaml")}
    grid = open_grid(settings, folder / "results")
    options = Namespace(
        **settings, data="aquarium", results=grid.results, out=grid.data_check("aquarium")
    )
    data_check_step.check_data(options)
    for run, value in (("r50", 20.0), ("tsd_pc", 25.0)):
        finish(grid.job(run, 0), value)
    return grid


def finish(job, value):
    """Leave what a training leaves that was evaluated."""
    train_record(key=job.key, parameters=3_300_000).write(job.folder.train)
    EvaluationRecord(
        key=job.key,
        version=EVALUATION_VERSION,
        metrics={"AP": value, "AP50": value + 30, "AP75": value, "APl90": value, "APs50": value},
        per_class={name: value + place for place, name in enumerate(CLASSES)},
    ).write(job.folder.metrics)
    update_status(job.folder, state="done", error=None)


@pytest.fixture(scope="module")
def report(grid, tmp_path_factory):
    """The folder of the report."""
    folder = tmp_path_factory.mktemp("report")
    collect(grid, grid.jobs).write(folder / "results.json")
    write_parts(folder / "results.json")
    write_pages(folder / "results.json")
    return folder


@pytest.fixture(scope="module")
def page(report):
    return (report / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(report):
    return Results.read(report / "results.json")


def test_the_command_names_the_file_of_the_data_set(results, grid):
    (option,) = (one for one in grid.command_line_options if one.startswith("--dataset="))
    command = reproduce_command(results)
    assert f" DATASET={option.removeprefix('--dataset=')} ONLY=r50,tsd_pc SEEDS=1" in command


def lines(report, table):
    with (report / "tables" / f"{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_name_the_network_that_fills_them(report, page):
    for name in ("index.html", "report.md", "tables/table5.md", "tables/table5.tex"):
        text = (report / name).read_text(encoding="utf-8")
        assert re.search(r"MobileNetV2, FPN-64, 320(\u00a0| )px", text), name
    networks = {line["run"]: line["network"] for line in lines(report, "table5")}
    assert networks["r50"] == networks["tsd_pc"] == "MobileNetV2, FPN-64, 320 px"
    assert networks["r152"] == ""


def test_nothing_is_subtracted_from_numbers_of_coco(report, page):
    for path in (report / "tables").glob("*.csv"):
        assert {line["difference"] for line in lines(report, path.stem)} == {""}
    assert '<th title="measured minus paper">Δ</th>' not in page
    assert "left out because the scale is not the paper’s and the data are not" in page
    assert not re.search(r"\| +Δ +\|", (report / "report.md").read_text(encoding="utf-8"))
    tsd = next(x for x in lines(report, "table5") if x["run"] == "tsd_pc" and x["metric"] == "AP")
    assert (tsd["gain"], tsd["objects"]) == ("5.0", str(objects(report)))


def objects(report):
    return Results.read(report / "results.json").data["aquarium"].check.val.objects


def test_rows_about_open_images_are_not_filled(report, results):
    for line in lines(report, "table6"):
        assert (line["state"], line["measured"], line["gain"]) == ("not on this data", "", "")
    assert results.runs["oi_r50"].seeds == {}
    assert results.runs["oi_r50"].papers_data == "Open Images Challenge 2019"


def test_claims_name_the_data_at_hand(report, page):
    markdown = (report / "report.md").read_text(encoding="utf-8")
    for text in (page, markdown):
        assert "On “Aquarium”: TSD with PC raises AP with every backbone" in text
        assert "On “Open Images Challenge 2019”: TSD adds about 3 AP.5" in text
        assert "so that trainings on “Aquarium” do not decide it." in text
    claim = re.search(r'id="claim-tsd_everywhere">(.*?)</details>', page, re.S)[1]
    assert "The paper’s sentence is about “COCO 2017”." in claim
    about_images = re.search(r'id="claim-openimages_three">(.*?)</details>', page, re.S)[1]
    assert "no results" in about_images


def test_the_data_section_adds_up_to_the_annotation_files(results, page):
    check = results.data["aquarium"].check
    assert (check.train.images, check.val.images) == (8, 4)
    section = re.search(r'<section id="data">(.*?)</section>', page, re.S)[1]
    assert f"<td>{check.train.annotations}</td><td>{check.val.annotations}</td>" in section
    first = page[: page.index("</section>")]
    assert 'href="#data"' in first  # from the findings, which come before anything else


def test_classes_have_their_ap(report, page, results):
    section = re.search(r'<section id="per-class">(.*?)</section>', page, re.S)[1]
    assert all(f">{name}</th>" in section for name in CLASSES)
    with (report / "per_class.csv").open(encoding="utf-8") as file:
        found = {(line["run"], line["class"]): line for line in csv.DictReader(file)}
    assert found["tsd_pc", "nine"]["AP"] == "34.0"
    assert found["r50", "zero"]["val_objects"] == str(
        results.data["aquarium"].check.val.per_class["zero"]
    )


def test_captions_name_network_and_data(report):
    caption = (report / "figures" / "figure6.txt").read_text(encoding="utf-8")
    assert "The network of every run is MobileNetV2, FPN-64, 320 px." in caption
    assert "Data: Aquarium, ten classes of sea animals." in caption
    assert "Measured values are of “Aquarium”, the paper’s of “COCO 2017”." in caption
    assert f"rest on {objects(report)} objects" in caption


def test_the_headline_names_network_and_data(results):
    text = headline(results)
    assert "The network of every run is MobileNetV2, FPN-64, 320 px." in text
    assert "Measured values are of “Aquarium”" in " ".join(text.split())
    assert max(map(width, text.splitlines())) <= 100


def test_the_embedded_digits_do_not_stand_for_open_images_either(smoke_grid):
    finish(smoke_grid.job("oi_r50", 0), 10.0)
    finish(smoke_grid.job("r50", 0), 10.0)
    results = collect(smoke_grid, smoke_grid.jobs_for("table6") + smoke_grid.jobs_of("r50"))
    assert results.runs["oi_r50"].seeds[0].state is State.EVALUATED
    assert results.runs["oi_r50"].digest == results.runs["r50"].digest
    assert not results.runs["oi_r50"].is_shown
    assert results.runs["r50"].is_shown


def test_at_the_papers_scale_numbers_may_be_compared(tmp_path):
    grid = open_grid({"scale": "paper"}, tmp_path)
    jobs = grid.jobs_of("r50") + grid.jobs_of("oi_r50")
    results = collect(grid, jobs)
    assert results.runs["r50"].is_comparable
    assert results.runs["oi_r50"].is_comparable
    assert results.data["openimages-challenge"].check is None


def test_evaluating_leaves_ap_of_each_class_as_a_table(smoke_grid, monkeypatch):
    job = smoke_grid.job("r50", 0)
    record = EvaluationRecord(
        key=job.key, version=1, metrics={"AP": 1.0}, per_class={"a, b": 12.5, "c": None}
    )
    monkeypatch.setattr(steps, "job_of", lambda options: job)
    monkeypatch.setattr(steps, "resolve_name", lambda name: lambda job: record)
    steps.evaluate(Namespace(log=None))
    assert job.folder.per_class.read_text() == 'class,AP\n"a, b",12.5\nc,\n'
    assert EvaluationRecord.read(job.folder.metrics) == record
