"""The folder of one training: ``results/{grid}/{run}/{digest}/seed{n}/`` and its files.

Training, inference, evaluation, tracking and reporting meet in these files and nowhere else.
"""

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunFolder:
    """Names of the files in a run's folder.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def key(self) -> str:
        """The identity that the training of this folder has: ``{grid}/{run}/{digest}/seed{n}``."""
        return "/".join(self.path.parts[-4:])

    @property
    def card(self) -> Path:
        """Who the run is: key, name, tags, parameters. Written first."""
        return self.path / "card.json"

    @property
    def config(self) -> Path:
        """The compiled mmengine config."""
        return self.path / "config.json"

    @property
    def model(self) -> Path:
        """Parameters of the built model; the output of the check before training."""
        return self.path / "model.json"

    @property
    def events(self) -> Path:
        """Losses over iterations, a JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """What the last attempt to train printed."""
        return self.path / "logs" / "train.log"

    @property
    def status(self) -> Path:
        """How the last step stands, and how far it is.

        Its state is ``running``, ``interrupted``, ``failed`` (with the reason) or ``done``, which
        means that the last step, whichever it was, ended well.
        """
        return self.path / "status.json"

    @property
    def work(self) -> Path:
        """Work_dir of mmengine: checkpoints and its own log."""
        return self.path / "work"

    @property
    def weights(self) -> Path:
        """The trained weights, tensors only."""
        return self.path / "weights.pth"

    def weights_at(self, iteration: int) -> Path:
        """The weights after so many iterations, where the scale declares a milestone there."""
        return self.path / "milestones" / f"weights_{iteration}.pth"

    def weights_on_the_way(self) -> dict[int, Path]:
        """The weights that were kept before the end, by the iterations done, in their order."""
        found = self.weights_at(0).parent.glob("weights_*.pth")
        names = {path.stem.removeprefix("weights_"): path for path in found}
        return {int(name): names[name] for name in sorted(filter(str.isdecimal, names), key=int)}

    @property
    def trained(self) -> Path:
        """Summary of a finished training, written once.

        It is no output of a rule, because Snakemake deletes outputs before it runs a rule again.
        """
        return self.path / "trained.json"

    @property
    def train(self) -> Path:
        """A copy of ``trained.json``; the training rule's output."""
        return self.path / "train.json"

    @property
    def is_trained(self) -> bool:
        """Whether the training has ended and left its weights."""
        return self.weights.is_file() and (self.trained.is_file() or self.train.is_file())

    @property
    def detections(self) -> Path:
        """Detections on the val split in COCO's results format."""
        return self.path / "detections.json"

    @property
    def detect(self) -> Path:
        """Summary of the inference; the inference rule's output."""
        return self.path / "detect.json"

    @property
    def metrics(self) -> Path:
        """COCO metrics; the evaluation rule's output."""
        return self.path / "metrics.json"

    @property
    def per_class(self) -> Path:
        """AP of each class as CSV, for people who look at it in MLflow."""
        return self.path / "per_class.csv"

    @property
    def resamples(self) -> Path:
        """Metrics over draws of the val split's images; written by the evaluation, no output."""
        return self.path / "resamples.npz"

    @property
    def latency(self) -> Path:
        """Time of an image through the trained network; the latency rule's output."""
        return self.path / "latency.json"

    @property
    def milestones(self) -> Path:
        """COCO metrics of the weights that were kept on the way; the milestones rule's output."""
        return self.path / "milestones.json"

    def extracted(self, kind: str) -> Path:
        """What a kind of figure shows of the trained network."""
        return self.path / f"{kind}.json"

    @property
    def trail(self) -> dict[str, str]:
        """The files that lead from a number back to what made it, as far as they are there.

        Returns:
            What a file holds → its path relative to the folder.
        """
        named = {
            "config": self.config,
            "log": self.log,
            "losses": self.events,
            "training": self.train,
            "metrics": self.metrics,
            "detections": self.detections,
            "weights": self.weights,
        }
        return {
            name: path.relative_to(self.path).as_posix()
            for name, path in named.items()
            if path.is_file()
        }

    @property
    def tracking(self) -> Path:
        """Where the run lies in MLflow."""
        return self.path / "tracking.json"

    @property
    def retracking(self) -> Path:
        """The same, once what was measured after ``tracking`` is in MLflow too: the latency."""
        return self.path / "retracking.json"

    @property
    def milestones_tracking(self) -> Path:
        """The same, once what was measured on the way is in MLflow too."""
        return self.path / "milestones_tracking.json"


def write_json(path: Path, content: Any) -> None:
    """Write JSON as :func:`write_text` does."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Raises:
        OSError: If it cannot be written; the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        replace_durably(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def replace_durably(partial: Path, path: Path) -> None:
    """Give a written file its name once its content is on disk, so that no crash leaves half."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def read_json(path: Path) -> Any:
    """The content of a JSON file, None where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def update_status(folder: RunFolder, **changes: Any) -> None:
    """Change keys of ``status.json``; ``updated`` is the time of the change.

    A file that is damaged is replaced, since this also writes down that a step failed over it.
    """
    write_json(folder.status, {**readable_status(folder.status), **changes, "updated": time.time()})


def readable_status(path: Path) -> dict[str, Any]:
    """The content of a ``status.json``, empty where there is none or it is damaged.

    It is for those who would only complain that it is damaged, which others do who need it whole
    (:func:`tsd.results.status.read_status`).
    """
    try:
        status = read_json(path)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}
