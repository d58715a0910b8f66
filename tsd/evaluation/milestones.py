"""What a network was worth on the way of its training, from the weights that were kept there.

A training keeps weights where its scale declares milestones (:mod:`tsd.training.milestone_hook`).
They are tested here as the trained network is, on the same images and with the same metrics, and
nothing is trained for it. Before the end the learning rate is still high, so that these networks
are not annealed: what they are worth tells how this training went, and not what a shorter training
would have reached. The learning rate is therefore written down beside them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

from tsd.experiments.data_formats import format_of
from tsd.experiments.job import Job
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.milestones import iterations_of
from tsd.results.possible_values import Metrics
from tsd.results.records import (
    EvaluationRecord,
    Milestone,
    MilestonesRecord,
    TrainRecord,
)


def measure_milestones(job: Job, announce: Callable[[str], None]) -> MilestonesRecord:
    """Measure the weights that a training has kept on its way.

    Args:
        job: A trained job.
        announce: Called with lines that tell a waiting person how far it is.

    Returns:
        What was measured, and what was not with the reason: a training that is older than its
        scale's milestones has kept nothing.

    Raises:
        FileNotFoundError: The job is not trained.
        LabelOrderError: An earlier version of this project made the weights, whose labels are in
            another order than the declared classes.
    """
    record = TrainRecord.read(job.folder.train)
    if record is None:
        raise FileNotFoundError(f"{job.folder.train}: no such file: the job is not trained")
    kept = {
        iteration: weights
        for iteration, weights in job.folder.weights_on_the_way().items()
        if iteration < record.iterations
    }
    missing = what_is_missing(job, record.iterations, kept)
    rates = learning_rates(job.folder.events)
    milestones = []
    for iteration, weights in kept.items():
        metrics = _metrics_of(job, weights, announce)
        if metrics is None:
            missing.append(f"{weights} is damaged")
        else:
            rate = _at(rates, iteration)
            milestones.append(Milestone(iteration=iteration, learning_rate=rate, metrics=metrics))
    for reason in missing:
        announce(f"not measured on the way: {reason}")
    return MilestonesRecord(
        key=job.key,
        version=EVALUATION_VERSION,
        iterations=record.iterations,
        milestones=milestones,
        missing="; ".join(missing) or None,
    )


def what_is_missing(job: Job, iterations: int, kept: dict[int, Path]) -> list[str]:
    """Say which weights were not kept on the way, and why; empty where none are missing.

    Args:
        job: A trained job.
        iterations: Length of its training.
        kept: The weights that were, by the iterations done.
    """
    declared = iterations_of(job.scale.milestones, iterations)
    if not declared and not kept:
        return [
            f"scale {job.scale.id} declares no milestones at which trainings keep their weights"
        ]
    absent = [f"{iteration:,}" for iteration in declared if iteration not in kept]
    if not absent:
        return []
    return [
        f"no weights were kept after {', '.join(absent)} of {iterations:,} iterations, because the "
        "training was made before its scale declared these milestones, or they could not be written"
    ]


def _metrics_of(job: Job, weights: Path, announce: Callable[[str], None]) -> Metrics | None:
    """What weights are worth; None if their file is damaged."""
    # Imported here, because a training without such weights is told in no time without torch.
    from tsd.training.build import runtime_config
    from tsd.training.checkpoints import WeightsError
    from tsd.training.detect import find_objects

    config = runtime_config(job)
    augmentation = config.get("test_time_augmentation")
    try:
        detections, _ = find_objects(job, config, augmentation, announce, weights)
    except WeightsError:
        return None
    evaluation: EvaluationRecord = resolve_name(format_of(job.dataset).measure)(job, detections)
    return evaluation.metrics


def learning_rates(events: Path) -> dict[int, float]:
    """The learning rate over iterations, in parts of its highest; empty where nobody wrote it down.

    Args:
        events: The training's events, a JSON object a line.
    """
    rates: dict[int, float] = {}
    if events.exists():
        for line in events.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
                rates[int(event["step"])] = float(event["metrics"]["lr"])
            except (ValueError, KeyError, TypeError):
                continue
    highest = max(rates.values(), default=0)
    return {step: rate / highest for step, rate in rates.items()} if highest > 0 else {}


def _at(rates: dict[int, float], iteration: int) -> float | None:
    """The last rate that was written down until then."""
    known = [step for step in rates if step <= iteration]
    return rates[max(known)] if known else None
