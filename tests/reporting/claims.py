"""Claims and results made by hand, from which the tests of verdicts start."""

from tests.reporting.conftest import make_results, run, training
from tsd.experiments.claims_schema import Claim
from tsd.reporting.verdicts import judge

BASE, BETTER, WORSE = [30.0, 30.1, 29.9], [33.0, 33.1, 32.9], [27.0, 27.1, 26.9]
"""Values over three seeds that lie clearly apart."""


def results(runs, is_paper=False, tables=(), figures=(), claims=()):
    """Collected results with the given claims, which stand there as a file of claims has them."""
    made = make_results(list(tables), runs, is_paper)
    made.figures = list(figures)
    made.claims = [Claim.model_validate(entry) for entry in claims]
    return made


def measured(metric="AP", **values):
    """Runs with the given values of a metric over seeds."""
    return {n: run(*(training(**{metric: v}) for v in vs)) for n, vs in values.items()}


def claim(test, **changes):
    entry = {"id": "one", "quote": "q", "source": "Section 1", "statement": "s", "test": test}
    return {**entry, **changes}


def pairs(*names):
    """Pairs of a run and its baseline, each written as ``run/baseline``."""
    return [dict(zip(("run", "baseline"), name.split("/"), strict=True)) for name in names]


def gain(*names, metrics=("AP",), **expected):
    return {"kind": "gain", "pairs": pairs(*names), "metrics": list(metrics), **expected}


UP = gain("a/b", direction="up")


def verdict(found, test, **changes):
    """The verdict on a single claim."""
    found.claims = [Claim.model_validate(claim(test, **changes))]
    (only,) = judge(found)
    return only
