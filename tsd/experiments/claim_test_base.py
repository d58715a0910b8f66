"""What every test of a claim has to say: what it compares, and where the numbers should lie.

The kinds of test, which are subclasses of :class:`ClaimTest`, are in
:mod:`tsd.experiments.claim_tests`.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from tsd.experiments.checks import require
from tsd.experiments.comparisons import Comparison, Range
from tsd.experiments.declaration import Declaration, Identifier
from tsd.experiments.load import Experiments
from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Table


class Pair(Declaration):
    """A run and the baseline that it is compared with."""

    run: Annotated[Identifier, Field(examples=["tsd_pc"])]
    """The claim is about this run."""

    baseline: Annotated[Identifier, Field(examples=["r50"])]
    """The run is compared with this other run."""


Pairs = Annotated[
    list[Pair], Field(min_length=1, examples=[[{"run": "tsd_pc", "baseline": "r50"}]])
]


class Size(Declaration):
    """How large a number should be: around a number, or between bounds.

    ``within`` alone means around what the paper prints for it.
    """

    about: Annotated[float | None, Field(examples=[3])] = None
    """The number should lie around this one; ``within`` says how near."""

    within: Annotated[float | None, Field(gt=0, examples=[0.5])] = None
    """The number may differ by this much, to either side."""

    at_least: Annotated[float | None, Field(examples=[3])] = None
    """The number should not be smaller than this one."""

    at_most: Annotated[float | None, Field(examples=[5])] = None
    """The number should not be larger than this one."""

    @model_validator(mode="after")
    def _is_around_or_between(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if bounded == (self.within is not None) or (self.about is not None and bounded):
            raise ValueError("say within, with or without about; or at_least, at_most or both")
        return self

    def around(self, published: float | None) -> Range | None:
        """Return the range that it describes.

        Args:
            published: What the paper prints for the number; None where it prints nothing.

        Returns:
            None where the range lies around a number that is not printed.
        """
        if self.within is not None:
            centre = published if self.about is None else self.about
            return None if centre is None else Range(centre - self.within, centre + self.within)
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return Range(low, high)


class ClaimTest(Declaration):
    """Base of the tests: what is compared, and where each of the numbers should lie."""

    kind: str

    @abstractmethod
    def comparisons(self) -> list[Comparison]:
        """List the numbers that the test looks at."""

    def averaged(self) -> list[Comparison]:
        """List those of the numbers whose mean over the pairs says what the claim is about."""
        return self.comparisons()

    @abstractmethod
    def expected_range(self) -> Range | None:
        """Return where each number should lie at every scale, however small.

        Returns:
            None where only the paper's scale can decide.
        """

    @abstractmethod
    def claimed_range(self, published: float | None, tables: Iterable[Table]) -> Range | None:
        """Return where a number should lie at the paper's scale.

        Args:
            published: What the paper prints for this number; None where it prints nothing.
            tables: The declared tables.

        Returns:
            None where this rests on a number that the paper does not print.
        """

    def check(self, place: str, experiments: Experiments) -> None:
        """Refuse what the type of the keys does not tell to be wrong.

        Args:
            place: The file and the claim, for errors.
            experiments: The declarations that the test refers to.

        Raises:
            DeclarationError: The test names a run or metric that does not exist, or its keys do
                not make a test of its kind.
        """
        for run in self.runs_compared:
            require(place, "run", run, experiments.runs)
        for metric in self.metrics_compared:
            require(place, "metric", metric, METRICS)

    @property
    def runs_compared(self) -> list[str]:
        """Ids of the runs that decide it, a baseline before the runs that are compared with it."""
        names = (run for comparison in self.comparisons() for run in reversed(comparison.runs))
        return list(dict.fromkeys(names))

    @property
    def metrics_compared(self) -> list[str]:
        """Ids of the metrics that decide it."""
        quantities = (comparison.quantity for comparison in self.comparisons())
        return list(dict.fromkeys(name for quantity in quantities for name in quantity.all_metrics))
