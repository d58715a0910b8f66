"""The step that brings each run over its seeds into MLflow, from the results that are collected."""

import json
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tsd.cli.job_step import grid_of
from tsd.experiments.card import places_of, summary_card_of
from tsd.experiments.grid import Grid
from tsd.experiments.reading import DeclarationError
from tsd.results.collected import Results
from tsd.results.records import SummariesRecord
from tsd.tracking.uri import redact, tracking_uri

if TYPE_CHECKING:
    from tsd.reporting.run_summaries import MetricSummary, RunSummary
    from tsd.tracking.summaries import Summary


def track_summaries(options: Namespace) -> None:
    """Bring the runs over their seeds into MLflow, and write down where they are."""
    grid = grid_of(options)
    bring_in(grid, options.collected, print).write(options.out)


def summaries_record(grid: Grid) -> Path:
    """The file that says where the summaries of a grid's report are in MLflow."""
    return grid.results / grid.name / "summaries" / f"{grid.report_name}.json"


def bring_in(grid: Grid, collected: Path, announce: Callable[[str], None]) -> SummariesRecord:
    """Write the summaries of collected results into MLflow; without its store, say what is wrong.

    Args:
        grid: The grid whose results they are.
        collected: ``results.json``.
        announce: Told why they are not in MLflow.

    Raises:
        DeclarationError: A run compiles to another digest now than when it was collected.
        ResultsError: The file is of another version of this project.
    """
    results = Results.read(collected)
    summaries = _summaries(grid, results)
    current = {one.tags["run"]: one.key for one in summaries}
    uri = tracking_uri()
    try:
        from tsd.tracking.summaries import sync_summaries

        ids = sync_summaries(
            uri,
            grid.experiment,
            _identity(grid),
            summaries,
            lambda tags: _is_gone(grid, tags, current),
        )
    except Exception as error:
        announce(f"the runs over their seeds are not in MLflow: {error}")
        return SummariesRecord(error=f"{type(error).__name__}: {error}")
    return SummariesRecord(uri=redact(uri), runs={run: ids[key] for run, key in current.items()})


def _summaries(grid: Grid, results: Results) -> list["Summary"]:
    from tsd.reporting.run_summaries import run_summaries

    return [_summary(grid, one) for one in run_summaries(results)]


def _summary(grid: Grid, found: "RunSummary") -> "Summary":
    """What MLflow is told of a run over its seeds."""
    from tsd.tracking.summaries import Summary

    job = grid.jobs_of(found.run)[0]
    if job.digest != found.collected.digest:
        raise DeclarationError(
            f"run {found.run} was collected as {found.collected.digest}, but compiles to "
            f"{job.digest} now: its declaration was edited in between; start the workflow again"
        )
    card = summary_card_of(job, places_of(found.run, grid.experiments))
    trainings = {seed: found.collected.seeds[seed] for seed in found.seeds}
    tracked = [one.tracking and one.tracking.run_id for one in trainings.values()]
    metrics = {f"{name}/paper": value for name, value in card["paper"].items()}
    for name, one in found.metrics.items():
        metrics |= _numbers(name, one, found.baselines)
    return Summary(
        key=card["key"],
        name=card["name"],
        tags={
            **card["tags"],
            "report": grid.report_name,
            "seeds": " ".join(map(str, found.seeds)),
            "baseline": found.baselines[0] if found.baselines else "none",
            "trainings": " ".join(run or "untracked" for run in tracked),
            "mlflow.note.content": _description(grid, found),
        },
        params={
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in card["params"].items()
        },
        metrics=metrics,
    )


def _numbers(name: str, one: "MetricSummary", baselines: tuple[str, ...]) -> dict[str, float]:
    """The numbers of a metric by the names that they have in MLflow; what is not known is left out.

    A gain stands there under its baseline's name, and once more without it where the baseline is
    the one that is meant first.
    """
    numbers: dict[str, float | None] = {
        "mean": one.measured.mean,
        "sd": one.measured.sd,
        "n": float(len(one.measured.values)),
        **_ends("mean", one.interval),
    }
    for baseline, gain in one.gains.items():
        main = [""] if baseline == baselines[0] else []
        for over in (f"_over_{baseline}", *main):
            numbers |= {
                f"gain{over}": gain.value,
                f"gain_sd{over}": gain.sd,
                f"gain_images_sd{over}": gain.images_sd,
                f"gain_paper{over}": gain.published,
                **_ends("gain", gain.interval, over),
            }
    return {f"{name}/{kind}": value for kind, value in numbers.items() if value is not None}


def _ends(
    prefix: str, interval: tuple[float, float] | None, over: str = ""
) -> dict[str, float | None]:
    """The ends of a 95% interval; what tells them apart comes first, as columns are narrow."""
    low, high = interval or (None, None)
    return {f"{prefix}_low{over}": low, f"{prefix}_high{over}": high}


def _description(grid: Grid, found: "RunSummary") -> str:
    """What the entry is, for people, in Markdown."""
    seeds = f"seeds {', '.join(map(str, found.seeds))}"
    moderated = any(one.is_moderated for one in found.metrics.values())
    lent = (
        "Intervals rest on the spread of all runs of the grid where it tells of this run's."
        if moderated
        else "Intervals rest on the spread of the run's own trainings, and one has none."
    )
    lines = [
        found.collected.why,
        "",
        f"What the trainings of run `{found.run}` say together ({seeds}), as the report "
        f"`{grid.report_folder}/index.html#run-{found.run}` has it: `…/mean`, `…/sd`, `…/n`, the "
        f"95% interval `…/mean_low` to `…/mean_high`. {lent}",
    ]
    if found.baselines:
        others = "".join(f", `…/gain_over_{name}`" for name in found.baselines)
        lines += [
            "",
            f"`…/gain` is the gain over `{found.baselines[0]}`; gains by their baselines are"
            f"{others.removeprefix(',')}. Where they are known, `…/gain_low…` to `…/gain_high…` is "
            "the 95% interval, `…/gain_sd…` the standard error, `…/gain_images_sd…` that of the "
            "choice of images, and `…/gain_paper…` what the paper prints.",
        ]
    return "\n".join(lines)


def _identity(grid: Grid) -> str:
    """What tells the grid's folder of results from others that write to the same store."""
    path = grid.results / grid.name / "summaries" / "identity"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex, encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _is_gone(grid: Grid, tags: Mapping[str, str], current: Mapping[str, str]) -> bool:
    """Whether a summary that this folder of results once gave is not to be shown any longer.

    Its run may have been declared otherwise since, so that another digest has taken its place, or
    nothing that was measured of it is left.
    """
    run, digest = tags.get("run", ""), tags.get("digest", "")
    if tags.get("report") == grid.report_name and run in current:
        return True
    folder = grid.results / grid.name / run / digest
    return not any(folder.glob("seed*/metrics.json"))
