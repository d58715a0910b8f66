"""How sure the gains of the tables are: a 95% interval of each, and whether it leaves out zero.

The intervals are made as those of the verdicts are (:mod:`tsd.reporting.intervals`). A gain whose
interval holds zero is within the noise, and nothing may be read from its direction.
"""

from tsd.experiments.comparisons import Difference, Quantity
from tsd.experiments.schema import Row
from tsd.reporting.cells import measure, training_id
from tsd.reporting.families import Families
from tsd.reporting.intervals import ERROR, WEIGHTS, sample, uncertainty
from tsd.results.collected import Results

Interval = tuple[float, float]


class GainIntervals:
    """The intervals of the gains in a report.

    Args:
        results: What was collected.
    """

    def __init__(self, results: Results):
        self._results = results
        self._families = Families(results)

    def of(self, row: Row, metric: str) -> Interval | None:
        """Return the 95% interval of a row's gain over its baseline.

        Args:
            row: The row.
            metric: Id of a metric that is not exact.

        Returns:
            Both ends in the metric's unit; None where there is no gain or no known spread.
        """
        results = self._results
        if row.run is None or row.baseline is None or results.metrics[metric].exact:
            return None
        if training_id(results, row.run) == training_id(results, row.baseline):
            return None
        comparison = Difference(row.run, Quantity((metric,)), row.baseline)

        def values(run: str, name: str) -> dict[int, float]:
            return measure(results, run, name, row.protocol).values

        ours, theirs = (sample(comparison, values, run) for run in comparison.runs)
        if ours is None or theirs is None:
            return None
        known = uncertainty([ours, theirs], WEIGHTS, self._families.prior(comparison))
        if known is None:
            return None
        gain, half = ours.mean - theirs.mean, known.half_width(ERROR)
        return gain - half, gain + half

    def tone(self, row: Row, metric: str) -> str:
        """Tell whether a gain is ``better`` or ``worse``; the empty text where it is neither.

        It is neither where its interval holds zero or is not known, and where no direction of the
        metric is an improvement.

        Args:
            row: The row.
            metric: Id of the metric.
        """
        interval, rises = self.of(row, metric), self._results.metrics[metric].higher_is_better
        if interval is None or rises is None or interval[0] <= 0 <= interval[1]:
            return ""
        return "better" if (interval[0] > 0) == rises else "worse"
