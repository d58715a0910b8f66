"""The kinds of test that decide a claim of the paper, one class each.

A test makes one or more comparisons of runs and says in which range each of their numbers should
lie: at every scale, and at the paper's own. It neither reads results nor judges them, which
:mod:`tsd.reporting.verdicts` does. To add a kind of test, write a subclass of :class:`ClaimTest`
here and name it in :data:`AnyTest`.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from tsd.experiments.checks import require
from tsd.experiments.claim_test_base import ClaimTest, Pairs, Size
from tsd.experiments.comparisons import Alone, Comparison, Difference, Quantity, Quotient, Range
from tsd.experiments.declaration import Identifier
from tsd.experiments.load import Experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.schema import Row, Table


class Expecting(ClaimTest):
    """Base of the tests that say which way a number should go, how large it should be, or both."""

    neutral: ClassVar[float]
    """The number of a run that equals its baseline."""

    direction: Annotated[Literal["up", "down"] | None, Field(examples=["up"])] = None
    """The number should go this way; a claim is judged by it at every scale."""

    size: Annotated[Size | None, Field(examples=[{"about": 3, "within": 1}])] = None
    """The number should be this large; a claim is judged by it at the paper's scale only."""

    def expected_range(self) -> Range | None:
        """Return the numbers in the direction; None where the test says none."""
        match self.direction:
            case "up":
                return Range(low=self.neutral, without_ends=True)
            case "down":
                return Range(high=self.neutral, without_ends=True)
        return None

    def claimed_range(self, published: float | None, tables: Iterable[Table]) -> Range | None:
        """Return the numbers of the size, or those in the direction where no size is known."""
        sized = None if self.size is None else self.size.around(published)
        return sized or self.expected_range()

    def check(self, place: str, experiments: Experiments) -> None:
        """Refuse also a test that expects nothing."""
        super().check(place, experiments)
        if self.direction is None and self.size is None:
            raise DeclarationError(f"{place}: test: say direction, size or both")


class Gain(Expecting):
    """Each run less its baseline, in each of the metrics."""

    neutral = 0

    kind: Annotated[Literal["gain"], Field(examples=["gain"])]
    """The test looks at gains."""

    pairs: Pairs
    """The gain of each of these runs over its baseline counts."""

    metrics: Annotated[list[str], Field(min_length=1, examples=[["AP", "AP75"]])]
    """The gain in each of these metrics counts."""

    def comparisons(self) -> list[Comparison]:
        """List a difference for each pair and metric."""
        return [
            Difference(pair.run, Quantity((metric,)), pair.baseline)
            for pair in self.pairs
            for metric in self.metrics
        ]


class Ratio(Expecting):
    """Each run divided by its baseline; the direction ``up`` means above 1."""

    neutral = 1

    kind: Annotated[Literal["ratio"], Field(examples=["ratio"])]
    """The test looks at ratios."""

    pairs: Pairs
    """Each of these runs is divided by its baseline."""

    metric: Annotated[str, Field(examples=["params"])]
    """The values of this metric are divided."""

    def comparisons(self) -> list[Comparison]:
        """List a quotient for each pair."""
        quantity = Quantity((self.metric,))
        return [Quotient(pair.run, quantity, pair.baseline) for pair in self.pairs]


class Level(ClaimTest):
    """A metric of each run by itself, which only the paper's scale can decide."""

    kind: Annotated[Literal["level"], Field(examples=["level"])]
    """The test looks at values."""

    runs: Annotated[list[Identifier], Field(min_length=1, examples=[["bells_r101_dcn_tsd"]])]
    """The value of each of these runs counts."""

    metric: Annotated[str, Field(examples=["AP"])]
    """The values are those of this metric."""

    size: Annotated[Size, Field(examples=[{"within": 0.5}])]
    """The value should be this large; the claim is judged at the paper's scale only."""

    def comparisons(self) -> list[Comparison]:
        """List the metric of each run."""
        return [Alone(run, Quantity((self.metric,))) for run in self.runs]

    def expected_range(self) -> Range | None:
        """Return None: at another scale a metric has another level."""
        return None

    def claimed_range(self, published: float | None, tables: Iterable[Table]) -> Range | None:
        """Return the numbers of the size."""
        return self.size.around(published)


class ComparesGains(ClaimTest):
    """Base of the tests that ask of one gain to be larger than another.

    Two losses of which one is smaller than the other are no such gains. Therefore the gain that is
    said to be there is compared with zero besides. All numbers should be positive at every scale.
    """

    @abstractmethod
    def differences(self) -> list[Comparison]:
        """List how much larger each gain is than the one that it is compared with."""

    @abstractmethod
    def gains(self) -> list[Comparison]:
        """List the gains that have to be there for the sentence to be about gains at all."""

    def comparisons(self) -> list[Comparison]:
        """List the differences of gains, and then the gains themselves."""
        return [*self.differences(), *self.gains()]

    def averaged(self) -> list[Comparison]:
        """List the differences of gains: a gain by itself is another quantity."""
        return self.differences()

    def expected_range(self) -> Range | None:
        """Return the positive numbers."""
        return Range(low=0, without_ends=True)

    def claimed_range(self, published: float | None, tables: Iterable[Table]) -> Range | None:
        """Return the positive numbers."""
        return Range(low=0, without_ends=True)


class LargerGain(ComparesGains):
    """For each pair, the gain in some quantities is larger than that in another, and is a gain.

    A quantity is written as a list of metrics, of which the mean is taken.
    """

    kind: Annotated[Literal["larger_gain"], Field(examples=["larger_gain"])]
    """The test looks at how much larger a gain is than another."""

    pairs: Pairs
    """The gains of each of these runs over its baseline count."""

    quantities: Annotated[
        list[Annotated[list[str], Field(min_length=1)]],
        Field(min_length=1, examples=[[["APm50", "APm60"], ["APl50", "APl60"]]]),
    ]
    """The gain in each of these quantities should be the larger one, and above zero."""

    than: Annotated[list[str], Field(min_length=1, examples=[["APs50", "APs60"]])]
    """The gain in this quantity should be the smaller one; it may be a loss."""

    def differences(self) -> list[Comparison]:
        """List, for each pair and quantity, how much larger its gain is than the other one."""
        return self._of_each(tuple(self.than))

    def gains(self) -> list[Comparison]:
        """List, for each pair and quantity, its gain."""
        return self._of_each(())

    def _of_each(self, less: tuple[str, ...]) -> list[Comparison]:
        return [
            Difference(pair.run, Quantity(tuple(metrics), less), pair.baseline)
            for pair in self.pairs
            for metrics in self.quantities
        ]


class Increasing(ComparesGains):
    """For each pair, there is a gain that grows from each metric to the next."""

    kind: Annotated[Literal["increasing"], Field(examples=["increasing"])]
    """The test looks at how gains grow."""

    pairs: Pairs
    """The gain of each of these runs over its baseline counts."""

    metrics: Annotated[list[str], Field(min_length=2, examples=[["AP50", "AP75"]])]
    """The gain should be above zero in the first of these metrics, and grow from each to the
    next."""

    def differences(self) -> list[Comparison]:
        """List, for each pair and step, how much larger the gain is after the step."""
        return [
            Difference(pair.run, Quantity((later,), (earlier,)), pair.baseline)
            for pair in self.pairs
            for earlier, later in itertools.pairwise(self.metrics)
        ]

    def gains(self) -> list[Comparison]:
        """List the gain of each pair in the first metric, from which it grows."""
        quantity = Quantity((self.metrics[0],))
        return [Difference(pair.run, quantity, pair.baseline) for pair in self.pairs]

    def check(self, place: str, experiments: Experiments) -> None:
        """Refuse also a metric that stands twice, from which nothing can grow to itself."""
        super().check(place, experiments)
        repeated = sorted({name for name in self.metrics if self.metrics.count(name) > 1})
        if repeated:
            raise DeclarationError(f"{place}: key test.metrics: twice: {repeated}")


class AbovePublished(ClaimTest):
    """A run is above all that a table prints of others, which only the paper's scale can decide."""

    kind: Annotated[Literal["above_published"], Field(examples=["above_published"])]
    """The test looks at the best published value of others."""

    run: Annotated[Identifier, Field(examples=["bells_r101_dcn_tsd"])]
    """This run should be above the others."""

    metric: Annotated[str, Field(examples=["AP"])]
    """The values of this metric are compared."""

    table: Annotated[Identifier, Field(examples=["table8"])]
    """The published values stand in this table."""

    ours: Annotated[list[Identifier], Field(examples=[["r101_tsd_test", "bells_r101_dcn_tsd"]])]
    """The rows of these runs are the paper's own, and so none of the others."""

    where: Annotated[
        dict[str, list[str]],
        Field(default_factory=dict, examples=[{"backbone": ["ResNet-101", "ResNet-101-DCN"]}]),
    ]
    """Only rows with these attributes are compared with; each key is one of the table's
    ``attributes``, and its value lists the texts that count (an empty text: no attribute)."""

    def comparisons(self) -> list[Comparison]:
        """List the metric of the run."""
        return [Alone(self.run, Quantity((self.metric,)))]

    def expected_range(self) -> Range | None:
        """Return None: numbers of another scale cannot be compared with printed ones."""
        return None

    def claimed_range(self, published: float | None, tables: Iterable[Table]) -> Range | None:
        """Return the numbers above the highest that the table prints of a rival."""
        (table,) = (table for table in tables if table.id == self.table)
        return Range(low=max(self.rivals(table)), without_ends=True)

    def rivals(self, table: Table) -> list[float]:
        """List what the table prints of others."""
        printed = [row.published.get(self.metric) for row in table.rows if self._is_rival(row)]
        return [value for value in printed if value is not None]

    def _is_rival(self, row: Row) -> bool:
        return row.run not in self.ours and all(
            row.attributes.get(attribute, "") in values for attribute, values in self.where.items()
        )

    def check(self, place: str, experiments: Experiments) -> None:
        """Refuse also rivals that the table does not have."""
        super().check(place, experiments)
        for run in self.ours:
            require(place, "run", run, experiments.runs)
        require(place, "table", self.table, experiments.tables)
        table = experiments.tables[self.table]
        for attribute, values in self.where.items():
            require(f"{place}: key test.where", "attribute", attribute, table.attributes)
            known = {row.attributes.get(attribute, "") for row in table.rows}
            for value in values:
                require(f"{place}: key test.where.{attribute}", "value", value, known)
        if not self.rivals(table):
            raise DeclarationError(
                f"{place}: no row of {self.table} is a rival with a {self.metric}"
            )


AnyTest = Annotated[
    Gain | Ratio | Level | LargerGain | Increasing | AbovePublished, Field(discriminator="kind")
]
"""A test of any kind; the key ``kind`` says of which."""

KINDS: dict[str, type[ClaimTest]] = {
    get_args(test.model_fields["kind"].annotation)[0]: test
    for test in get_args(get_args(AnyTest)[0])
}
"""The name of a kind, as the key ``kind`` has it → the class."""
