"""What somebody who asks for trainings has to know of them before any is made."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.experiments.reading import suggest


def impossible(jobs: Iterable[Job]) -> list[str]:
    """Say which runs cannot be made from what is declared, and why.

    Args:
        jobs: The trainings that are asked for. They are compiled.

    Returns:
        One text for each reason; empty if all can be made. Runs that share a reason, such as a
        mistake in the scale's settings, share a text.
    """
    return _by_reason({job.run.id: job.mistake for job in jobs if job.mistake is not None})


def absent_runs(grid: Grid, targets: Iterable[str] | None = None) -> dict[str, str]:
    """Find the runs that are asked for although they do not exist at the scale, and the reasons.

    A run that comes with a table or a figure, of which other runs do exist, is not among them: its
    row says that it is not at this scale. Nor is a run that is left out for the sake of its data,
    of which :func:`about_other_data` tells.

    Args:
        grid: The grid.
        targets: Ids of the tables, figures and runs that are asked for; by default those of the
            grid, of which none is asked for by its name where all are.

    Returns:
        Id of each run → why it does not exist.
    """
    experiments = grid.experiments
    found: dict[str, str] = {}
    for target in (grid.only or ()) if targets is None else targets:
        runs = [experiments.run(name) for name in experiments.runs_for(target)]
        if target in experiments.runs or not any(map(grid.has, runs)):
            reasons = {run.id: grid.why_absent(run) for run in runs if grid.has_data(run)}
            found |= {name: reason for name, reason in reasons.items() if reason is not None}
    return found


def absent(grid: Grid, targets: Iterable[str] | None = None) -> list[str]:
    """Say which runs are asked for although they do not exist at the scale, and why.

    Args:
        grid: The grid.
        targets: As :func:`absent_runs` takes them.

    Returns:
        One text for each reason; empty if there are no such runs.
    """
    return _by_reason(absent_runs(grid, targets))


def _by_reason(reasons: Mapping[str, str]) -> list[str]:
    """Say of each run why it cannot be made; those that share a reason share a text."""
    runs: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        runs.setdefault(reason, []).append(name)
    return [f"{_named(names)} cannot be made: {reason}" for reason, names in runs.items()]


def unused_weights(grid: Grid, jobs: Sequence[Job]) -> list[str]:
    """Say which pretrained weights of the data sets are for backbones that no training has.

    Args:
        grid: The grid of the trainings.
        jobs: The trainings that are asked for. They are compiled.

    Returns:
        One text for each backbone; empty if all weights are used.
    """
    started = [job for job in possible(jobs) if job.starts_from is not None]
    texts = []
    for dataset in {job.dataset.id: job.dataset for job in jobs}.values():
        having = {job.backbone_id for job in started if job.dataset.id == dataset.id}
        for backbone in sorted(dataset.weights.keys() - having):
            known = [name for name in having if name is not None]
            texts.append(
                f"{dataset.origin}: key weights: no run that is asked for at scale {grid.scale.id} "
                f"starts from pretrained weights of a backbone {backbone!r}"
                + suggest(backbone, known)
            )
    return texts


def lacking_weights(grid: Grid) -> str | None:
    """Say that a scale evaluates given weights and none are given; None where that is not so."""
    if grid.only != ():
        return None
    return (
        f"scale {grid.scale.id} trains nothing and needs files of weights: name them by "
        "`--config checkpoint=released_r50=FILE` and the like (docs/authors-weights.md)"
    )


def unknown_target(grid: Grid, name: str) -> str:
    """Say of a name that is no target of the workflow what may have been meant.

    Args:
        grid: The grid.
        name: What the user has asked Snakemake for.
    """
    experiments = grid.experiments
    claims = [claim.id for claim in grid.claims]
    for noun, names in (("run", experiments.runs), ("claim", claims)):
        if name in names:
            return (
                f"{name!r} is a {noun}, and no target of the workflow: ask for it by "
                f"`snakemake --config only={name}`"
            )
    targets = [*experiments.tables, *experiments.figures]
    near = difflib.get_close_matches(name, [*targets, *experiments.runs, *claims], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"of tables and figures: {', '.join(targets)}"
    return f"there is no target {name!r}; {hint}"


def about_other_data(grid: Grid) -> list[str]:
    """Say which runs that are asked for are left out, because they are about other data.

    Args:
        grid: The grid.

    Returns:
        One text for each data set that such runs are about; empty if there are none.
    """
    names = (run for target in grid.wanted_targets for run in grid.experiments.runs_for(target))
    left_out: dict[str, list[str]] = {}
    for run in map(grid.experiments.run, dict.fromkeys(names)):
        if not grid.has_data(run):
            left_out.setdefault(str(run.dataset), []).append(run.id)
    return [
        f"left out on the data set {grid.dataset.id}: {_named(runs)}, about the data set {dataset}"
        for dataset, runs in left_out.items()
    ]


def _named(runs: list[str]) -> str:
    """The run, or the number of runs with some of them."""
    if len(runs) == 1:
        return f"run {runs[0]}"
    return f"{len(runs)} runs ({', '.join(runs[:5])}{', …' if len(runs) > 5 else ''})"
