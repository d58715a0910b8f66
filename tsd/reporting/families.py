"""Which runs tell of each other's spread: those of one data set, in one quantity.

The spread of AP says little about that of AP of small objects, and nothing about that of a runtime,
so that each quantity that is compared has a family of its own. A quotient is compared as a
logarithm, and its family is one of logarithms. Runs on another data set are measured on other
images, and form other families. Runs that compile to the same training have one spread, which
counts once.
"""

import numpy

from tsd.experiments.comparisons import Comparison, Quantity
from tsd.reporting.cells import measure, training_id
from tsd.reporting.intervals import sample
from tsd.reporting.moderation import FEWEST, Prior, fit_prior
from tsd.results.collected import Results


class Families:
    """What the runs of collected results tell of each other's spread.

    Args:
        results: What was collected.
    """

    def __init__(self, results: Results):
        self._results = results
        self._found: dict[tuple[type[Comparison], Quantity, str], Prior | None] = {}

    def prior(self, comparison: Comparison) -> Prior | None:
        """Return how much runs scatter in the quantity of a comparison, and how alike they are.

        Args:
            comparison: Its data set is that of its run.

        Returns:
            None where too few runs have a spread.
        """
        run = self._results.runs.get(comparison.run)
        if run is None:
            return None
        key = (type(comparison), comparison.quantity, run.dataset)
        if key not in self._found:
            self._found[key] = self._fit(comparison, run.dataset)
        return self._found[key]

    def _fit(self, comparison: Comparison, dataset: str) -> Prior | None:
        results = self._results
        members = {
            training_id(results, name): name
            for name, run in reversed(results.runs.items())
            if run.dataset == dataset
        }
        samples = [
            sample(comparison, lambda run, metric: measure(results, run, metric).values, name)
            for name in members.values()
        ]
        known = [
            (one.variance, one.count - 1.0) for one in samples if one and one.variance is not None
        ]
        if len(known) < FEWEST:
            return None
        variances, freedoms = numpy.array(known).T
        return fit_prior(variances, freedoms)
