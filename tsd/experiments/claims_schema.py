"""What the paper's sentences say of numbers, and where its numbers disagree with each other.

A *claim* is a sentence that numbers decide, with the runs and the test that decide it. The tests
are few and closed: each looks at means over runs and at the range in which they should lie
(:mod:`tsd.reporting.verdicts` judges them). An *inconsistency* is a number of the paper beside
others of its numbers that do not agree with it. What a table holds is referred to, not repeated.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tsd.experiments.load import DeclarationError, kind_of, read_yaml, suggest, validate
from tsd.experiments.schema import Declaration, Figure, Identifier, Table

AnyDeclared = Mapping[str, object]
"""Declarations by id, of which only the ids matter here."""


class Pair(Declaration):
    """A run and the one it is compared with."""

    run: Annotated[Identifier, Field(examples=["tsd_pc"])]
    """The claim is about this run."""

    baseline: Annotated[Identifier, Field(examples=["r50"])]
    """The run is compared with this other run."""


class Size(Declaration):
    """How large something should be: around a number, or between bounds.

    ``within`` alone means around what the paper's tables give for it.
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


class _Expecting(Declaration):
    """A test that says which way something should go, how large it should be, or both."""

    direction: Annotated[Literal["up", "down"] | None, Field(examples=["up"])] = None
    """The number should go this way; a claim is judged by it at every scale."""

    size: Annotated[Size | None, Field(examples=[{"about": 3, "within": 1}])] = None
    """The number should be this large; a claim is judged by it at the paper's scale only."""


class Gain(_Expecting):
    """Each run less its baseline, in each of the metrics."""

    kind: Annotated[Literal["gain"], Field(examples=["gain"])]
    """The test looks at gains."""

    pairs: Annotated[
        list[Pair], Field(min_length=1, examples=[[{"run": "tsd_pc", "baseline": "r50"}]])
    ]
    """The gain of each of these runs over its baseline counts."""

    metrics: Annotated[list[str], Field(min_length=1, examples=[["AP", "AP75"]])]
    """The gain in each of these metrics counts."""


class Ratio(_Expecting):
    """Each run divided by its baseline; ``up`` means above 1."""

    kind: Annotated[Literal["ratio"], Field(examples=["ratio"])]
    """The test looks at ratios."""

    pairs: Annotated[
        list[Pair], Field(min_length=1, examples=[[{"run": "tsd_pc", "baseline": "r50"}]])
    ]
    """Each of these runs is divided by its baseline."""

    metric: Annotated[str, Field(examples=["params"])]
    """The values of this metric are divided."""


class Level(Declaration):
    """A metric of each run by itself."""

    kind: Annotated[Literal["level"], Field(examples=["level"])]
    """The test looks at values."""

    runs: Annotated[list[Identifier], Field(min_length=1, examples=[["bells_r101_dcn_tsd"]])]
    """The value of each of these runs counts."""

    metric: Annotated[str, Field(examples=["AP"])]
    """The values are those of this metric."""

    size: Annotated[Size, Field(examples=[{"within": 0.5}])]
    """The value should be this large; the claim is judged at the paper's scale only."""


class LargerGain(Declaration):
    """For each pair, the gain in some metrics is larger than that in another.

    A quantity is a list of metrics, of which the mean is taken.
    """

    kind: Annotated[Literal["larger_gain"], Field(examples=["larger_gain"])]
    """The test looks at how much larger a gain is than another."""

    pairs: Annotated[
        list[Pair], Field(min_length=1, examples=[[{"run": "tsd_pc", "baseline": "r50"}]])
    ]
    """The gains of each of these runs over its baseline count."""

    quantities: Annotated[
        list[Annotated[list[str], Field(min_length=1)]],
        Field(min_length=1, examples=[[["APm@50", "APm@60"], ["APl@50", "APl@60"]]]),
    ]
    """The gain in each of these quantities should be the larger one."""

    than: Annotated[list[str], Field(min_length=1, examples=[["APs@50", "APs@60"]])]
    """The gain in this quantity should be the smaller one."""


class Increasing(Declaration):
    """For each pair, the gain grows from each metric to the next."""

    kind: Annotated[Literal["increasing"], Field(examples=["increasing"])]
    """The test looks at how gains grow."""

    pairs: Annotated[
        list[Pair], Field(min_length=1, examples=[[{"run": "tsd_pc", "baseline": "r50"}]])
    ]
    """The gain of each of these runs over its baseline counts."""

    metrics: Annotated[list[str], Field(min_length=2, examples=[["AP50", "AP75"]])]
    """The gain should grow from each of these metrics to the next."""


class AbovePublished(Declaration):
    """A run above all that a table prints of others; judged at the paper's scale only."""

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

    where: dict[str, list[str]] = Field(
        default_factory=dict, examples=[{"backbone": ["ResNet-101", "ResNet-101-DCN"]}]
    )
    """Only rows with these attributes are compared with; each key is one of the table's
    ``attributes``, and its value lists the texts that count (an empty text: no attribute)."""


KINDS: dict[str, type[Declaration]] = {
    "gain": Gain,
    "ratio": Ratio,
    "level": Level,
    "larger_gain": LargerGain,
    "increasing": Increasing,
    "above_published": AbovePublished,
}

AnyTest = Gain | Ratio | Level | LargerGain | Increasing | AbovePublished


class Claim(Declaration):
    """A sentence of the paper that numbers decide."""

    id: Annotated[Identifier, Field(examples=["pc_at_75"])]
    """The report and other texts refer to the claim by this name."""

    quote: Annotated[str, Field(examples=["PC significantly improves the AP.75 by 1.5"])]
    """The paper says this, word for word; … stands for what is left out."""

    source: Annotated[str, Field(examples=["Section 3.2, Table 3"])]
    """The sentence stands here in the paper."""

    statement: Annotated[str, Field(examples=["PC adds 1.5 at AP.75 (within 0.5)."])]
    """We understand the sentence so, in plain words."""

    test: Annotated[
        AnyTest,
        Field(
            discriminator="kind",
            examples=[{"kind": "level", "runs": ["r50"], "metric": "AP", "size": {"within": 0.5}}],
        ),
    ]
    """This test decides the claim; its ``kind`` says which keys it has."""

    published: dict[Identifier, dict[str, float]] = Field(
        default_factory=dict, examples=[{"r152": {"params": 76.39}}]
    )
    """The paper's prose gives these numbers, which stand in no table; each key is a run, and its
    value holds numbers by metric."""

    printed_in: Annotated[Identifier | None, Field(examples=["figure6"])] = None
    """The values that this figure prints are the paper's numbers for the claim. Without it those
    of the paper's tables are."""

    note: Annotated[str | None, Field(examples=["The paper has no table with MobileNetV2."])] = None
    """The report shows this remark below the claim."""

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that decide it."""
        test = self.test
        if isinstance(test, Level):
            return test.runs
        if isinstance(test, AbovePublished):
            return [test.run]
        return list(dict.fromkeys(n for pair in test.pairs for n in (pair.baseline, pair.run)))

    @property
    def metrics(self) -> list[str]:
        """Ids of the metrics that it names."""
        test = self.test
        if isinstance(test, Gain | Increasing):
            return test.metrics
        if isinstance(test, LargerGain):
            return [metric for quantity in [*test.quantities, test.than] for metric in quantity]
        return [test.metric]


class PaperNumber(Declaration):
    """A number of the paper, or what it says of one: in prose, or in a table or figure.

    One of ``printed``, ``table`` and ``figure`` says where the number is from, or there are
    ``words`` alone.
    """

    where: Annotated[str, Field(examples=["Table 5, ResNet-101-DCN"])]
    """The report says in these words where the number stands."""

    words: Annotated[str | None, Field(examples=["3%∼5%"])] = None
    """The report quotes these words of the prose instead of showing a number."""

    printed: Annotated[list[float] | None, Field(min_length=1, max_length=2, examples=[[3, 5]])] = (
        None
    )
    """The prose gives this number; two numbers are a range, from the first to the second."""

    table: Annotated[Identifier | None, Field(examples=["table5"])] = None
    """This table prints the number; ``run`` and ``metric`` say where in it."""

    figure: Annotated[Identifier | None, Field(examples=["figure6"])] = None
    """This figure shows the number; ``run`` and ``position`` say where in it."""

    run: Annotated[Identifier | None, Field(examples=["r101_dcn_tsd"])] = None
    """The number is the one of this run, in the table or figure."""

    baseline: Annotated[Identifier | None, Field(examples=["r101_dcn"])] = None
    """The number is the run's value less the value of this other run."""

    relative: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the run's value is divided by the baseline's instead."""

    metric: Annotated[str | None, Field(examples=["AP"])] = None
    """The number stands in the table's column of this metric."""

    position: Annotated[int | None, Field(ge=0, examples=[0])] = None
    """The number stands at this place of the figure's series, counted from 0."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [s for s in (self.printed, self.table, self.figure) if s is not None]
        if len(sources) > 1 or not (sources or self.words):
            raise ValueError("say one of printed, table and figure, or words")
        if self.table is not None and (self.run is None or self.metric is None):
            raise ValueError("a table's number needs run and metric")
        if self.figure is not None and (self.run is None or self.position is None):
            raise ValueError("a figure's number needs run and position")
        return self


class Inconsistency(Declaration):
    """A number of the paper with which others of its numbers do not agree."""

    id: Annotated[Identifier, Field(examples=["three_to_five_dcn"])]
    """The report and other texts refer to the inconsistency by this name."""

    what: Annotated[
        str, Field(examples=["A backbone whose gain is less than what is said of all of them."])
    ]
    """This says in plain words what does not agree."""

    unit: Annotated[str, Field(examples=["AP"])]
    """The numbers are in this unit; it is empty where there are only words."""

    here: Annotated[PaperNumber, Field(examples=[{"where": "Section 4", "printed": [3, 5]}])]
    """The paper gives this number."""

    there: Annotated[
        list[PaperNumber],
        Field(min_length=1, examples=[[{"where": "Section 3.3", "words": "steadily"}]]),
    ]
    """These other numbers of the paper do not agree with it."""

    handling: Annotated[str, Field(examples=["Kept as printed."])]
    """This says what we do about it."""


def load_claims(
    path: Path, runs: AnyDeclared, metrics: AnyDeclared, tables: Mapping[str, Table]
) -> dict[str, Claim]:
    """Load and check the claims.

    Args:
        path: The YAML file, a list.
        runs: The declared runs, by id.
        metrics: The known metrics, by id.
        tables: The declared tables, by id.

    Returns:
        Id → claim, in the file's order.

    Raises:
        DeclarationError: On the first mistake found.
    """
    claims: dict[str, Claim] = {}
    for place, entry in _entries(path, "claim"):
        _check_kind(place, entry)
        claim = validate(Claim, entry, place)
        _require_new(place, claim.id, claims)
        for name in [*claim.runs, *claim.published, *getattr(claim.test, "ours", [])]:
            _require(place, "run", name, runs)
        for metrics_named in [claim.metrics, *claim.published.values()]:
            for name in metrics_named:
                _require(place, "metric", name, metrics)
        if isinstance(claim.test, _Expecting) and not (claim.test.direction or claim.test.size):
            raise DeclarationError(f"{place}: test: say direction, size or both")
        if isinstance(claim.test, AbovePublished):
            _check_rivals(place, claim.test, tables)
        if isinstance(claim.test, Increasing):
            repeated = {name for name in claim.metrics if claim.metrics.count(name) > 1}
            if repeated:
                raise DeclarationError(f"{place}: key test.metrics: twice: {sorted(repeated)}")
        claims[claim.id] = claim
    return claims


def load_inconsistencies(
    path: Path, tables: Mapping[str, Table], figures: Mapping[str, Figure]
) -> dict[str, Inconsistency]:
    """Load the inconsistencies and check that the tables and figures have what they refer to.

    Args:
        path: The YAML file, a list.
        tables: The declared tables, by id.
        figures: The declared figures, by id.

    Returns:
        Id → inconsistency, in the file's order.

    Raises:
        DeclarationError: On the first mistake found.
    """
    found: dict[str, Inconsistency] = {}
    for place, entry in _entries(path, "inconsistency"):
        inconsistency = validate(Inconsistency, entry, place)
        _require_new(place, inconsistency.id, found)
        for number in [inconsistency.here, *inconsistency.there]:
            _check_printed(place, number, tables, figures)
        found[inconsistency.id] = inconsistency
    return found


def _entries(path: Path, noun: str) -> Iterable[tuple[str, dict]]:
    """Each entry of a list in a file, with the place that errors refer to."""
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise DeclarationError(f"{path}: expected a list, found {kind_of(entries)}")
    for position, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise DeclarationError(
                f"{path}: {noun} number {position}: expected keys and values, "
                f"found {kind_of(entry)}"
            )
        yield f"{path}: {noun} {entry.get('id', f'number {position}')}", entry


def _check_kind(place: str, entry: dict) -> None:
    """Check a test by its own kind, so that an error names that kind's keys."""
    test = entry.get("test")
    if not isinstance(test, dict):
        return
    if "kind" not in test:
        raise DeclarationError(f"{place}: key 'test.kind' is missing" + suggest("", KINDS))
    if test["kind"] not in KINDS:
        raise DeclarationError(
            f"{place}: key test.kind: unknown kind {test['kind']!r}"
            + suggest(str(test["kind"]), KINDS)
        )
    validate(KINDS[test["kind"]], test, f"{place}: test")


def _require_new(place: str, name: str, declared: AnyDeclared) -> None:
    if name in declared:
        raise DeclarationError(f"{place}: id {name!r} is declared already")


def _require(place: str, noun: str, name: str, valid: Iterable[str]) -> None:
    if name not in valid:
        raise DeclarationError(f"{place}: unknown {noun} {name!r}" + suggest(name, valid))


def _check_rivals(place: str, test: AbovePublished, tables: Mapping[str, Table]) -> None:
    _require(place, "table", test.table, tables)
    table = tables[test.table]
    for attribute, values in test.where.items():
        _require(f"{place}: key test.where", "attribute", attribute, table.attributes)
        known = {row.attributes.get(attribute, "") for row in table.rows}
        for value in values:
            _require(f"{place}: key test.where.{attribute}", "value", value, known)
    if not any(is_rival(row.model_dump(), test) for row in table.rows):
        raise DeclarationError(f"{place}: no row of {test.table} is a rival with a {test.metric}")


def is_rival(row: Mapping[str, Any], test: AbovePublished) -> bool:
    """Tell whether a table's row, as dumped, is one that a run has to be above."""
    return (
        row["run"] not in test.ours
        and row["published"].get(test.metric) is not None
        and all(row["attributes"].get(a, "") in values for a, values in test.where.items())
    )


def _check_printed(
    place: str,
    number: PaperNumber,
    tables: Mapping[str, Table],
    figures: Mapping[str, Figure],
) -> None:
    """Check that a table or figure prints what is referred to."""
    for run in filter(None, (number.run, number.baseline)):
        if number.table is not None and number.metric is not None:
            _require(place, "table", number.table, tables)
            rows = [row.published for row in tables[number.table].rows if row.run == run]
            printed = {name for row in rows for name, value in row.items() if value is not None}
            _require(f"{place}: {number.table}, {run}", "number", number.metric, printed)
        if number.figure is not None and number.position is not None:
            _require(place, "figure", number.figure, figures)
            series = [s for s in figures[number.figure].series if s.run == run]
            length = len(series[0].published or []) if series else 0
            if number.position >= length:
                raise DeclarationError(
                    f"{place}: {number.figure}, {run} has {length} published values, "
                    f"none at position {number.position}"
                )
