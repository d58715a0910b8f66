"""What a training says of itself to people: its parameters, tags, description and paper's numbers.

MLflow shows the card (``card.json`` of :mod:`tsd.run_folder`). It is made from declarations alone,
so that it can be made anew for a training that has ended long ago.
"""

import colorsys
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tsd.experiments.job import Job
from tsd.experiments.load import Experiments
from tsd.experiments.network import network_name
from tsd.experiments.schema import Row

NONE = "none"
"""The value of a parameter that a run does not have. No parameter is ever left out: what a page
cannot compare, it cannot show either."""

TRAINING, SUMMARY = "training", "summary"
"""Values of the tag ``kind``, which tells a training from what the trainings of a run say together.
"""


@dataclass(frozen=True)
class Place:
    """A row of a table or a series of a figure that shows a run.

    Args:
        target: Id of the table or figure.
        title: Its title.
        label: What the row or the series is called there, attributes included.
        published: What is printed there for the run, by metric.
        baseline: The run from which the row's gains are counted; None where there is none.
        is_papers: Whether the paper prints the values.
    """

    target: str
    title: str
    label: str
    published: Mapping[str, float]
    baseline: str | None
    is_papers: bool


def places_of(run: str, experiments: Experiments) -> list[Place]:
    """Every place that shows a run: tables first, then figures, each in the declared order."""
    rows = [
        Place(
            table.id,
            table.title,
            _row_label(row),
            {metric: value for metric, value in row.published.items() if value is not None},
            row.baseline,
            table.paper,
        )
        for table in experiments.tables.values()
        for row in table.rows
        if row.run == run
    ]
    series = [
        Place(figure.id, figure.title, one.label, {}, None, is_papers=False)
        for figure in experiments.figures.values()
        for one in figure.series
        if run in (one.run, *(one.points or {}).values())
    ]
    return rows + series


def card_of(job: Job, places: Sequence[Place]) -> dict[str, Any]:
    """The card of a training, but for what only its own process knows.

    Args:
        job: The training.
        places: Those that show its run.
    """
    return {
        "key": job.key,
        "name": f"{job.run.id} · seed {job.seed}",
        "experiment": job.experiment,
        "params": parameters(job),
        "paper": _paper(places),
        "data": _data(job),
        "tags": {
            **_tags(job, places),
            "kind": TRAINING,
            "seed": str(job.seed),
            "mlflow.note.content": description(job, places),
        },
    }


def summary_card_of(job: Job, places: Sequence[Place]) -> dict[str, Any]:
    """The card of a run over all of its seeds, whatever was measured of them.

    Its parameters are those of a training, so that a page can compare the two, but for the seed,
    which is ``all``.

    Args:
        job: Any of the run's trainings.
        places: Those that show the run.
    """
    return {
        "key": f"{job.key.rpartition('/')[0]}/{SUMMARY}",
        "name": f"{job.run.id} · all seeds",
        "experiment": job.experiment,
        "params": {**parameters(job), "seed": "all"},
        "paper": _paper(places),
        "tags": {**_tags(job, places), "kind": SUMMARY},
    }


def _tags(job: Job, places: Sequence[Place]) -> dict[str, str]:
    """What a training and the summary of its run are found by."""
    return {
        "run": job.run.id,
        "why": job.run.why,
        "scale": job.scale.id,
        "dataset": job.dataset.id,
        "digest": job.digest,
        "tables": " ".join(dict.fromkeys(place.target for place in places)),
        **_labels(places),
        "differences": json.dumps(job.run.set, ensure_ascii=False),
        "mlflow.runColor": colour(job.run.id),
    }


def parameters(job: Job) -> dict[str, Any]:
    """Every training's parameters under the same names, as its compiled config has them.

    Args:
        job: The training.

    Returns:
        Name → number or text; ``none`` where the run has no such thing.
    """
    config = job.config.to_dict()
    model = config["model"]
    roi_head = model.get("roi_head") or {}
    bbox_head = _first(roi_head.get("bbox_head")) or {}
    derived = roi_head.get("derived_proposals") or {}
    constraint = roi_head.get("progressive_constraint") or {}
    loop, optimizer = config["train_cfg"], config["optim_wrapper"].get("optimizer", {})
    has_sibling = roi_head.get("sibling_head") is not None
    return {
        "protocol": job.protocol.id if job.protocol else NONE,
        "base": job.run.base,
        "backbone": job.backbone_id or "its base's",
        "network": network_name(job.config),
        "split": _split(model, derived),
        "cls_manner": derived.get("cls_manner", NONE),
        "reg_manner": derived.get("reg_manner", NONE),
        "sibling_head": "alone" if not derived else ("joint" if has_sibling else NONE),
        "m_c": _or_none(constraint.get("m_c")),
        "m_r": _or_none(constraint.get("m_r")),
        "clamp": constraint.get("clamp", NONE),
        "detach": constraint.get("detach", NONE),
        "box_loss": (bbox_head.get("loss_bbox") or {}).get("type", NONE),
        "scale": job.scale.id,
        "dataset": job.dataset.id,
        "seed": job.seed,
        "iterations": _or_none(loop.get("max_iters")),
        "epochs": _or_none(loop.get("max_epochs")),
        "batch": config["train_dataloader"].get("batch_size", NONE),
        "optimizer": optimizer.get("type", NONE),
        "lr": optimizer.get("lr", NONE),
    }


def description(job: Job, places: Sequence[Place]) -> str:
    """What the training is and where its numbers stand, in Markdown.

    Args:
        job: The training.
        places: Those that show its run.
    """
    lines = [
        job.run.why,
        "",
        f"Run `{job.run.id}`, seed {job.seed}, at the scale `{job.scale.id}` ({job.scale.title}) "
        f"on the data set `{job.dataset.id}`. {job.scale.note.strip()}",
    ]
    if places:
        lines += ["", "It is shown here, beside what is printed:", ""]
    for place in places:
        printed = ", ".join(f"{metric} {value}" for metric, value in place.published.items())
        counted = f"; gains are counted from `{place.baseline}`" if place.baseline else ""
        values = f": {printed}" if printed else ""
        lines.append(f"- {place.title} (`{place.target}`), {place.label}{values}{counted}")
    lines += [
        "",
        f"Folder: `{job.folder.path}` (config, log, events, detections). "
        f"Report: `reports/{job.grid_name}/index.html#run-{job.run.id}`.",
    ]
    return "\n".join(lines)


def colour(run: str) -> str:
    """The colour of a run, as #rrggbb: the same one in every chart and every store."""
    digest = hashlib.sha256(run.encode()).digest()
    hue, lightness = int.from_bytes(digest[:2], "big") / 2**16, 0.36 + 0.16 * digest[2] / 255
    channels = colorsys.hls_to_rgb(hue, lightness, 0.65)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _labels(places: Sequence[Place]) -> dict[str, str]:
    """Id of a table or figure → what the run is called there, for a page's columns and filters."""
    labels: dict[str, list[str]] = {}
    for place in places:
        labels.setdefault(place.target, []).append(place.label)
    return {target: "; ".join(found) for target, found in labels.items()}


def _row_label(row: Row) -> str:
    """A row's label with its attributes, which tell rows of one label apart."""
    about = (
        name if text == "✓" else f"{name} {text}" for name, text in row.attributes.items() if text
    )
    return ", ".join([row.label, *about])


def _paper(places: Sequence[Place]) -> dict[str, float]:
    """What the paper prints for a run, by metric; the first table's value where several print it.

    Where two tables disagree, the report lists the contradiction.
    """
    found: dict[str, float] = {}
    for place in places:
        for metric, value in place.published.items() if place.is_papers else ():
            found.setdefault(metric, value)
    return found


def _data(job: Job) -> dict[str, str]:
    """The data set that the training is on: its name, a digest of its content, and its folder."""
    content = json.dumps(job.config.to_dict()["dataset"], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return {"name": job.dataset.id, "digest": digest, "source": job.dataset.root}


def _split(model: dict[str, Any], derived: dict[str, Any]) -> str:
    """Where the tasks part: in the backbone, in the head, or nowhere before the last layers.

    What each task of a split head looks at, its manner says.
    """
    if "split_at" in model:
        return f"backbone, stride {model['split_at']}"
    return "head" if derived else "last layers"


def _first(part: Any) -> Any:
    """The first stage of a cascade; the part itself where there is one stage."""
    return part[0] if isinstance(part, list | tuple) else part


def _or_none(value: Any) -> Any:
    return NONE if value is None else value
