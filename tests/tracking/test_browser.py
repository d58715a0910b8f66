"""MLflow's pages in a real browser, opened as ``make ui`` says.

The format of saved views is MLflow's own and not documented: what a version of it does with ours
is seen here and nowhere else.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from html import unescape
from pathlib import Path

import pytest

from tsd.cli.tracking_views import experiment_tags
from tsd.experiments.card import card_of, places_of, summary_card_of
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.settings import open_grid
from tsd.tracking.store import describe_experiment, prepare_store, sync_run
from tsd.tracking.summaries import Summary, sync_summaries

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("TSD_REQUIRE_CHROMIUM"),
    reason="there is no Chromium on this machine (apt-get install chromium)",
)

RUNS = ("tsd_joint", "tsd_pc_cls", "tsd_pc_loc", "tsd_pc", "tsd_pc_cls_01", "tsd_pc_cls_05", "r50")
VALUES = {run: 40.25 + number for number, run in enumerate(RUNS)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A server with some runs of the grid, as the workflow leaves them; its address and lines."""
    folder = tmp_path_factory.mktemp("project")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    grid = open_grid({"scale": "mini", "only": "all"}, folder / "results")
    prepare_store(uri, [grid.experiment])
    describe_experiment(uri, grid.experiment, experiment_tags(grid))
    for run in RUNS:
        job = grid.job(run, 0)
        write(job.folder.card, card_of(job, places_of(run, grid.experiments)))
        write(job.folder.status, {"state": "done", "error": None})
        losses = {"loss": 2.0, "loss_tsd_cls": 0.5, "loss_cls": 0.75}
        lines = [json.dumps({"step": s, "time": 1.7e9 + s, "metrics": losses}) for s in (10, 20)]
        job.folder.events.write_text("\n".join(lines))
        measured = {"AP": VALUES[run], "AP50": 60.5, "AP75": 30.5}
        about = {"key": job.key, "version": EVALUATION_VERSION, "per_class": {}}
        write(job.folder.metrics, {**about, "metrics": measured})
        sync_run(job.folder.path, uri)
    sync_summaries(uri, grid.experiment, "here", [over_seeds(grid, run) for run in RUNS], bool)
    # The project is moved, as a folder that is copied from a cluster is.
    moved = folder.with_name("moved")
    folder.rename(moved)
    with served(f"sqlite:///{moved / 'mlflow.db'}") as lines:
        yield lines


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class served:  # noqa: N801 a context manager
    """``python -m tsd ui`` for a store."""

    def __init__(self, uri):
        self.uri = uri

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tsd", "ui", "--scale", "mini", "--port", str(port)],
            env={**os.environ, "MLFLOW_TRACKING_URI": self.uri},
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        lines = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if "siblings" in line:
                break
        self.wait(f"http://127.0.0.1:{port}/health")
        return [line for line in lines if line.startswith("http")]

    def wait(self, address):
        for _ in range(1200):
            assert self.process.poll() is None, "the server has ended"
            try:
                with urllib.request.urlopen(address, timeout=5):  # noqa: S310 loopback
                    return
            except OSError:
                time.sleep(0.5)
        pytest.fail("the server does not answer")

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def browse(address, tmp_path, *options):
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--window-size=1700,1400",
        "--virtual-time-budget=120000", f"--user-data-dir={tmp_path / 'profile'}",
        *options, address,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=600).stdout


def seen(address, tmp_path):
    """The text of a page once it has loaded, and the number of charts that are drawn on it."""
    page = browse(address, tmp_path, "--dump-dom")
    charts = len(re.findall(r'<svg class="main-svg', page))
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split()), charts


def over_seeds(grid, run):
    """What two trainings of a run say together, in numbers that tell where they are shown."""
    card = summary_card_of(grid.job(run, 0), places_of(run, grid.experiments))
    mean, over = VALUES[run] + 0.125, "_over_tsd_joint"
    gain = mean - VALUES["tsd_joint"]
    metrics = {"AP/mean": mean, "AP/mean_low": mean - 2, "AP/mean_high": mean + 2, "AP/n": 2.0}
    metrics |= {
        f"AP/gain{over}": gain,
        f"AP/gain_low{over}": gain - 0.5,
        f"AP/gain_high{over}": gain + 0.5,
    }
    params = {name: str(value) for name, value in card["params"].items()}
    tags = {**card["tags"], "seeds": "0 1", "baseline": "tsd_joint"}
    return Summary(card["key"], card["name"], tags, params, {**metrics, "AP/sd": 0.375})


def view(pages, key):
    (found,) = (line for line in pages if line.endswith(f"={key}"))
    return found


def test_the_view_of_table_3_has_its_four_rows_with_ap(pages, tmp_path):
    text, _ = seen(view(pages, "table3"), tmp_path)
    assert "4 matching runs" in text
    for run in RUNS[:4]:
        assert f"{run} · seed 0" in text
        assert f" {VALUES[run]} " in text
    assert "final/AP50" in text
    assert "paper/AP" in text
    assert "r50 · seed 0" not in text
    assert "all seeds" not in text
    photograph(view(pages, "table3"), tmp_path, "mlflow-table3.png")


def photograph(address, tmp_path, name):
    picture = Path(os.environ.get("TSD_SCREENSHOTS", tmp_path), name)
    picture.parent.mkdir(parents=True, exist_ok=True)
    browse(address, tmp_path, f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000


def test_the_view_of_table_3_over_seeds_has_intervals_and_no_training(pages, tmp_path):
    text, _ = seen(view(pages, "table3_seeds"), tmp_path)
    assert "4 matching runs" in text
    assert "· seed 0" not in text
    for run in RUNS[:4]:
        assert f"{run} · all seeds" in text
        mean = VALUES[run] + 0.125
        for number in (mean, mean - 2, mean + 2):
            assert f" {number} " in text
    assert "AP/mean_low" in text
    if os.environ.get("TSD_SCREENSHOTS"):
        photograph(view(pages, "table3_seeds"), tmp_path, "mlflow-table3-seeds.png")
        chart = view(pages, "table3") + "&compareRunsMode=CHART"
        photograph(chart, tmp_path, "mlflow-table3-charts.png")


def test_runs_are_compared_by_the_same_parameters(pages, tmp_path):
    base, _, rest = view(pages, "all").partition("/#/experiments/")
    number = rest.partition("/")[0]
    request = urllib.request.Request(  # noqa: S310 loopback
        f"{base}/api/2.0/mlflow/runs/search",
        json.dumps({"experiment_ids": [number]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 loopback
        runs = {run["info"]["run_name"]: run["info"] for run in json.load(answer)["runs"]}
    two = [runs[f"{run} · seed 0"]["run_id"] for run in ("tsd_joint", "tsd_pc")]
    named = "[" + ",".join(f"%22{one}%22" for one in two) + "]"
    address = f"{base}/#/compare-runs?runs={named}&experiments=[%22{number}%22]"
    text, _ = seen(address, tmp_path)
    assert "Comparing 2 Runs from 1 Experiment" in text
    for name, values in (
        ("m_c", "none 0.2"),
        ("clamp", "none true"),
        ("sibling_head", "joint joint"),
    ):
        assert f" {name} {values} " in text, name
    assert f" {VALUES['tsd_joint']} {VALUES['tsd_pc']} " in text
    if os.environ.get("TSD_SCREENSHOTS"):
        photograph(address, tmp_path, "mlflow-compare.png")
    # Artifacts are found where the project is now.
    uri = runs["tsd_pc · seed 0"]["artifact_uri"]
    place = uri.removeprefix("mlflow-artifacts:/")
    with urllib.request.urlopen(  # noqa: S310 loopback
        f"{base}/api/2.0/mlflow-artifacts/artifacts/{place}/metrics.json"
    ) as answer:
        assert json.load(answer)["metrics"]["AP"] == VALUES["tsd_pc"]


def test_figure_4_is_drawn_over_the_margins(pages, tmp_path):
    text, charts = seen(view(pages, "figure4") + "&compareRunsMode=CHART", tmp_path)
    assert "m_c vs. final/AP 0.1" in text
    assert "m_r vs. final/AP" in text
    assert "Terms of the loss" in text
    assert charts >= 3
