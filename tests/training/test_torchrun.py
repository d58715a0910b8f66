"""One process that torchrun has started trains through the distributed wrapper, as several do."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tsd.run_folder import read_json


def test_a_training_that_torchrun_starts_goes_through_the_distributed_wrapper(tiny_data, tmp_path):
    dataset = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    (tmp_path / "data.yaml").write_text(
        yaml.safe_dump({**dataset, "id": "tiny", "root": str(tiny_data), "embedded": None})
    )
    synced = {"match": "*-rcnn_r50_fpn", "set": {"model.backbone.norm_cfg": {"type": "SyncBN"}}}
    scale = {
        "id": "synced",
        "extends": "smoke",
        "title": "SyncBN",
        "note": "for a test",
        "dataset": "embedded-tiny",
        "bases": [synced],
    }
    (tmp_path / "synced.yaml").write_text(yaml.safe_dump(scale))
    # What the documented command runs, with a line that says what the model is wrapped in.
    (tmp_path / "says.py").write_text(
        "import sys\n"
        "from tsd.cli.main import main\n"
        "from tsd.training.event_log import EventLogHook\n"
        "def told(self, runner):\n"
        "    print('wrapped in', type(runner.model).__name__, file=sys.stderr)\n"
        "EventLogHook.before_train = told\n"
        "main()\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "MLFLOW_TR"))}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"),
            "--",  # torchrun would take --run for an abbreviation of its own
            *("says.py", "train", f"--experiments={Path.cwd()}/experiments"),
            *("--scale=synced.yaml", "--dataset=data.yaml", "--run=tsd_pc", "--seed=0"),
        ],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrapped in MMDistributedDataParallel" in done.stderr
    (record,) = tmp_path.glob("results/synced*/tsd_pc/*/seed0/train.json")
    assert read_json(record)["processes"] == 1
