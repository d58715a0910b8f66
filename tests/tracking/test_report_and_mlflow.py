"""MLflow's run holds every number that the report shows of a training, by name and value."""

import csv
import re
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from tsd.evaluation.latency import measure_latency
from tsd.evaluation.measure import measure_coco
from tsd.experiments.card import places_of
from tsd.reporting import summary
from tsd.reporting.collect import collect
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.wording import metric_title, number
from tsd.run_folder import update_status
from tsd.tracking.store import prepare_store, sync_run
from tsd.training.detect import detect
from tsd.training.train import train


def silent(_line):
    pass


@pytest.mark.parametrize("run", ["tsd_pc", "mask_r50_tsd"])
def test_the_report_shows_no_number_that_mlflow_does_not_have(run, smoke_grid, tmp_path):
    job = smoke_grid.job(run, 0)
    train(job, places_of(run, smoke_grid.experiments), silent)
    detect(job, silent)
    measure_coco(job).write(job.folder.metrics)
    measure_latency(job)
    update_status(job.folder, state="done", error=None)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    prepare_store(uri, [smoke_grid.experiment])
    tracked = MlflowClient(uri).get_run(sync_run(job.folder.path, uri)["run_id"]).data
    stored = {
        name.removeprefix("final/"): value
        for name, value in tracked.metrics.items()
        if name.startswith("final/")
    }
    assert tracked.tags["runtime_device"]

    collected = collect(replace(smoke_grid, only=(run,)), [job])
    report = tmp_path / "report" / "results.json"
    collected.write(report)
    (training,) = collected.runs[run].seeds.values()
    assert stored == {name: value for name, value in training.metrics.items() if value is not None}
    assert {"AP", "APl90", "AR100", "params", "runtime", "train_seconds"} <= training.metrics.keys()
    assert ("mask_APs" in training.metrics) == ("mask" in run)

    write_parts(report)
    write_pages(report)
    page = report.with_name("index.html").read_text(encoding="utf-8")
    (card,) = re.findall(rf'<article class="card" id="run-{run}">(.*?)</article>', page, re.S)
    shown = dict(re.findall(r'<tr><th scope="row">([^<]+)</th><td>([^<]*)</td></tr>', card))
    on_the_card = summary.metrics_of(collected, run)
    assert {"params", "runtime"} <= on_the_card.keys()
    for name, metric in on_the_card.items():
        assert shown[metric_title(metric)] == number(stored[name], metric.decimals + 2)
    in_tables = 0
    for path in (report.parent / "tables").glob("*.csv"):
        for line in csv.DictReader(path.open(encoding="utf-8")):
            if line["run"] == run and line["measured"]:
                assert float(line["measured"]) == stored[line["metric"]]
                in_tables += 1
    assert in_tables >= 4
