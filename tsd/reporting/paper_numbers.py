"""The numbers that the paper prints for what a claim compares."""

from collections.abc import Mapping

from tsd.experiments.claims_schema import Claim
from tsd.reporting.intervals import LookUp
from tsd.results.collected import Results


def paper_numbers(results: Results, claim: Claim) -> LookUp:
    """Return where the paper's numbers for a claim come from, each as that of a single seed, 0.

    They come from the figure in which the claim says that they are printed. A claim that names no
    figure may give numbers of the prose itself; the others come from the tables of the paper, from
    the first one that prints the number.

    Args:
        results: What was collected.
        claim: The claim.
    """

    def look_up(run: str, metric: str) -> Mapping[int, float]:
        value = _printed(results, claim, run, metric)
        return {} if value is None else {0: value}

    return look_up


def _printed(results: Results, claim: Claim, run: str, metric: str) -> float | None:
    if claim.printed_in is not None:
        return results.figure(claim.printed_in).printed(run, metric)
    if metric in claim.published.get(run, {}):
        return claim.published[run][metric]
    values = (table.printed(run, metric) for table in results.tables if table.paper)
    return next((value for value in values if value is not None), None)
