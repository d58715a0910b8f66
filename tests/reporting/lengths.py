"""What trainings measured on their way and at other lengths, made by hand."""

from tests.reporting.conftest import make_results, row, run, table, train_record, training
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.results.collected import CollectedLength
from tsd.results.records import Milestone, MilestonesRecord


def followed(end, missing=None, length=1100, rates=(0.9, 0.5, 0.2), **on_the_way):
    """A training that ended with an AP, and what it was worth on its way: ``after_275=12.5``."""
    steps = {int(name.removeprefix("after_")): value for name, value in on_the_way.items()}
    one = training(AP=end)
    one.train = train_record(iterations=length)
    one.milestones = MilestonesRecord(
        key="any",
        version=EVALUATION_VERSION,
        iterations=length,
        milestones=[
            Milestone(iteration=step, learning_rate=rate, metrics={"AP": value})
            for (step, value), rate in zip(steps.items(), rates, strict=False)
        ],
        missing=missing,
    )
    return one


def at(ratio, grid="mini", **runs):
    """The results at a length, AP by seed for each run: ``r50=[33.4]``."""
    return CollectedLength(
        scale=grid,
        grid=grid,
        ratio=ratio,
        trainings=f"{round(1100 * ratio):,} iterations",
        runs={
            name: {seed: {"AP": value} for seed, value in enumerate(values)}
            for name, values in runs.items()
        },
    )


def results_of(*, lengths=(), is_paper=False, **runs):
    """Results in which all but r50 take r50 for their baseline."""
    rows = [row(name, name, None if name == "r50" else "r50", AP=30.0) for name in runs]
    runs = {name: run(*trainings) for name, trainings in runs.items()}
    found = make_results([table("options", *rows, metrics=["AP"])], runs, is_paper=is_paper)
    found.lengths = list(lengths)
    return found
