"""Published reports: made by a command, whole, small, and in step with their numbers."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.reporting.conftest import figure
from tsd.cli.main import main
from tsd.reporting.headline import begin, names_in, read_headline
from tsd.reporting.provenance_file import Provenance, reproduce_command
from tsd.reporting.published import COLLECTED
from tsd.reporting.published_check import disagreements
from tsd.results.collected import Results
from tsd.run_folder import read_json, write_json

ROOT = Path.cwd()
HEADLINES = ("README.md", "docs/what-did-not-hold.md")
"""The documents that tell the headlines of reports, each that of its own ones."""

PUBLISHED = Path("reports/published")
MARKS = f"{begin('mini')}<!-- /headline -->"


@pytest.fixture
def here(results, tmp_path, monkeypatch):
    """A folder with a report, and a README that has marks for its headline; the current folder."""
    monkeypatch.chdir(tmp_path)
    results.write(Path("reports/mini", COLLECTED))
    Path("README.md").write_text(f"# Title\n\n{MARKS}\n\nMore.\n")
    return tmp_path


def publish(source="reports/mini"):
    main(["publish", f"--from={source}", "--to=reports/published/mini"])


def found():
    return list(disagreements(PUBLISHED / "mini", Path("README.md")))


def test_a_published_report_has_all_that_its_pages_lead_to(here):
    publish()
    for name in ("index.html", "report.md"):
        text = (PUBLISHED / "mini" / name).read_text()
        targets = re.findall(r"(?:href|src)=\"([^\"#]+)\"|\]\(([^)#]+)\)", text)
        inside = {a or b for a, b in targets if not a.startswith("data:")}
        assert {one for one in inside if "docs/" in one} <= {"../../../docs/decisions.md"}
        for target in inside - {"../../../docs/decisions.md"}:
            assert (PUBLISHED / "mini" / target).exists(), target
    assert "../../../docs/decisions.md" in inside
    assert {"tables", "figures", "per_class.csv", "provenance.json"} <= {
        path.name for path in (PUBLISHED / "mini").iterdir()
    }
    (link,) = re.findall(r"\[mini\]\((.*?)\)", Path("README.md").read_text())
    assert Path(link).exists()
    assert found() == []


def test_publishing_again_replaces_the_report_and_leaves_nothing_beside_it(here, results):
    publish()
    (PUBLISHED / "mini" / "stale.txt").touch()
    results.runs["base"].seeds[0].metrics["AP"] = 20.0
    results.write(Path("reports/mini", COLLECTED))
    before = Path("README.md").read_text()
    publish()
    assert not (PUBLISHED / "mini" / "stale.txt").exists()
    assert [path.name for path in PUBLISHED.iterdir()] == ["mini"]
    assert Path("README.md").read_text() != before
    assert found() == []


def spoil_readme(folder):
    text = Path("README.md").read_text()
    Path("README.md").write_text(text.replace("+2.5", "+9.9"))


def spoil_provenance(folder):
    content = read_json(folder / "provenance.json")
    write_json(folder / "provenance.json", {**content, "evaluated": 99})


def spoil(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def spoil_results(folder):
    content = read_json(folder / COLLECTED)
    content["runs"]["better"]["seeds"]["0"]["metrics"]["AP"] = 50.0
    write_json(folder / COLLECTED, content)


PAGES = {"options.csv", "others.csv", "index.html", "report.md"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (spoil_readme, {"README.md"}),
        (spoil_provenance, {"provenance.json"}),
        (spoil("tables/options.csv", "33.0", "33.1"), {"options.csv"}),
        (spoil("index.html", ">33.0</a>", ">33.1</a>"), {"index.html"}),
        (spoil("report.md", "33.0 ±", "33.1 ±"), {"report.md"}),
        (spoil("index.html", ">+2.5", ">+7.5"), {"index.html"}),
        (spoil("report.md", "Of 4 measured gains", "Of 5 measured gains"), {"report.md"}),
        (
            spoil_results,
            {"README.md", "provenance.json", *PAGES},
        ),
    ],
    ids=["readme", "provenance", "csv", "html", "md", "gain", "prose", "json"],
)
def test_a_number_that_is_not_that_of_the_results_is_found(here, change, named):
    publish()
    assert "+2.5" in Path("README.md").read_text()
    change(PUBLISHED / "mini")
    assert {Path(text.split(":")[0]).name for text in found()} == named


def test_what_is_true_of_the_machine_alone_is_left_out(here, results):
    seed = results.runs["base"].seeds[0]
    seed.folder = "/home/somebody/project/results/mini/base/ab12cd34ef/seed0"
    seed.tracking = seed.tracking.model_copy(update={"uri": "sqlite:////home/somebody/mlflow.db"})
    results.options = {"scale": "mini", "dataset": "/home/somebody/mine.yaml"}
    results.dataset = results.dataset.model_copy(update={"root": "/home/somebody/data"})
    results.data["embedded"].dataset = results.dataset
    results.write(Path("reports/mini", COLLECTED))
    publish((here / "reports/mini").absolute())
    for path in (PUBLISHED / "mini").rglob("*"):
        if path.suffix in (".json", ".html", ".md", ".csv"):
            assert "somebody" not in path.read_text(), path
            assert str(here) not in path.read_text(), path
    kept = Results.read(PUBLISHED / "mini" / COLLECTED).runs["base"].seeds[0]
    assert (kept.folder, kept.tracking.run_id) == ("results/mini/base/ab12cd34ef/seed0", "f00d")


def test_figures_of_trained_networks_are_copied_where_they_are(here, results):
    copied = figure("copied", "sensitivity", {"label": "A", "run": "base"})
    results.figures = [copied.model_copy(update={"id": name}) for name in ("copied", "absent")]
    results.write(Path("reports/mini", COLLECTED))
    folder = Path("reports/mini/figures")
    folder.mkdir()
    for suffix in ("svg", "pdf", "png", "txt"):
        (folder / f"copied.{suffix}").write_text(f"as it was as {suffix} (seed 0; 0123456789)")
    publish()
    of_published = PUBLISHED / "mini" / "figures"
    assert (of_published / "copied.png").read_text().startswith("as it was")
    assert Image.open(of_published / "absent.png").size > (100, 100)
    page = (PUBLISHED / "mini" / "index.html").read_text()
    assert "as it was as txt" in page
    pictures = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    assert b"as it was as svg" in b"".join(map(base64.b64decode, pictures))
    assert {path.suffix for path in of_published.iterdir()} == {".png", ".txt"}


@pytest.mark.parametrize("missing", ["svg", "txt"])
def test_what_was_published_is_not_published_again_with_figures_that_cannot_be_drawn(
    here, results, missing
):
    copied = figure("copied", "sensitivity", {"label": "A", "run": "base"})
    results.figures = [copied.model_copy(update={"id": "copied"})]
    results.write(Path("reports/mini", COLLECTED))
    folder = Path("reports/mini/figures")
    folder.mkdir()
    for suffix in {"svg", "pdf", "png", "txt"} - {missing}:
        (folder / f"copied.{suffix}").write_text("as it was (seed 0; 0123456789)")
    with pytest.raises(SystemExit, match=rf"copied\.{missing}: no such file, and only the machine"):
        publish()
    assert not (PUBLISHED / "mini").exists()


def test_a_large_picture_is_stored_with_fewer_colours(here):
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    folder = Path("reports/mini/figures")
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "samples.png")
    publish()
    picture = PUBLISHED / "mini" / "figures" / "samples.png"
    assert picture.stat().st_size < (folder / "samples.png").stat().st_size / 2
    assert Image.open(picture).size == (400, 400)


def test_the_expense_is_the_sum_of_what_was_measured(results):
    trained = [seed for run in results.runs.values() for seed in run.seeds.values() if seed.train]
    hours = [1, 2, 3, 4, None]
    for number, one in enumerate(trained):
        seconds = hours[min(number, 4)]
        of_gpu = {"device": "A GPU", "processes": 8} if number == 1 else {"threads": 2}
        changes = {"seconds": seconds and seconds * 3600.0, **of_gpu}
        one.train = one.train.model_copy(update=changes)
    said = Provenance.of(results, "publish")
    gpu, cpu = said.devices
    assert (gpu.device, gpu.trainings, gpu.train_hours, gpu.processor_hours) == ("A GPU", 1, 2, 16)
    assert (cpu.train_hours, cpu.processor_hours) == (8, 16)
    assert cpu.unmeasured == len(trained) - 4
    assert said.evaluated == len(trained)
    assert said.commits == {"0123456789, dirty": len(trained)}


def test_weights_from_a_file_cost_no_hours(results):
    before = Provenance.of(results, "publish")
    taken = {"file": "a.pth", "sha256": "0" * 64, "detector": "TSD", "says": {}}
    record = results.runs["base"].seeds[0].train
    changed = type(record).model_validate({**record.model_dump(), "taken_from": taken})
    results.runs["base"].seeds[0].train = changed
    after = Provenance.of(results, "publish")
    assert (before.not_trained, after.not_trained) == (0, 1)
    assert after.devices[0].trainings == before.devices[0].trainings - 1


def test_the_command_that_trains_the_same_is_told(results):
    assert reproduce_command(results) == (
        "make reproduce SCALE=mini ONLY=single,half SEEDS=1 && "
        "make reproduce SCALE=mini ONLY=base,better SEEDS=2 && "
        "python -m tsd report --scale mini --only base,better,single,half --seeds 2"
    )
    results.runs = {name: results.runs[name] for name in ("base", "better")}
    assert reproduce_command(results) == "make reproduce SCALE=mini ONLY=base,better SEEDS=2"
    results.name, results.protocol = "mini-embedded-released", "released"
    assert " DATASET=embedded PROTOCOL=released " in reproduce_command(results)
    results.name = "mini-released"
    assert "DATASET" not in reproduce_command(results)
    results.options = {"scale": "mini", "dataset": "my data.yaml"}
    assert " SCALE=mini DATASET='my data.yaml' ONLY=base" in reproduce_command(results)


def test_what_cannot_be_published_changes_nothing(here):
    before = Path("README.md").read_text()
    with pytest.raises(SystemExit, match=r"absent: no such file; `python -m tsd report`"):
        publish("absent")
    Path("README.md").write_text("# Title\n")
    with pytest.raises(SystemExit, match=r"README\.md: says nowhere .*<!-- headline:mini -->"):
        publish()
    Path("README.md").write_text(before)
    (PUBLISHED / "mini").mkdir(parents=True)
    (PUBLISHED / "mini" / "mine.txt").touch()
    with pytest.raises(SystemExit, match="is there and no published report"):
        publish()
    assert (PUBLISHED / "mini" / "mine.txt").exists()
    assert Path("README.md").read_text() == before


def test_a_report_that_fails_half_way_leaves_the_old_one(here, monkeypatch):
    publish()
    before = {path: path.read_bytes() for path in PUBLISHED.rglob("*") if path.is_file()}
    text = Path("README.md").read_text()

    def fail(_path, **_options):
        raise OSError("no space left")

    monkeypatch.setattr("tsd.reporting.published.write_pages", fail)
    with pytest.raises(OSError, match="no space"):
        publish()
    assert {path: path.read_bytes() for path in PUBLISHED.rglob("*") if path.is_file()} == before
    assert Path("README.md").read_text() == text


def test_published_reports_are_kept_by_git_and_by_clean(tmp_path):
    for name in (".gitignore", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    kept, removed = ("reports/published/mini/index.html", "reports/mini/index.html")
    for name in (kept, removed):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    ignored = subprocess.run(
        ["git", "check-ignore", kept, removed], cwd=tmp_path, capture_output=True, text=True
    )
    assert ignored.stdout.split() == [removed]
    subprocess.run(["make", "-s", "clean"], cwd=tmp_path, check=True)
    assert (tmp_path / kept).exists()
    assert not (tmp_path / removed).exists()


def test_the_reports_of_the_repository_say_what_their_results_say():
    folders = sorted(path.parent for path in PUBLISHED.glob("*/results.json"))
    documents = {Path(name): Path(name).read_text() for name in HEADLINES}
    for folder in folders:
        (told,) = (path for path, text in documents.items() if folder.name in names_in(text))
        assert list(disagreements(folder, told)) == []
    for path, text in documents.items():
        for name in set(names_in(text)) - {folder.name for folder in folders}:
            assert read_headline(text, name) == "", f"{path} tells of a report {name} that is not"
