"""Whether each of the paper's claims holds, as far as the runs at hand can tell.

A test looks at one or more numbers, its *comparisons*: a run's mean over seeds less its baseline's,
the ratio of the two, or how much larger the gain is in one quantity than in another. For each there
is a range in which the claim puts it, such as above 0, or 3 to 5.

**One comparison.** Its 95% interval is Welch's: t quantiles with Satterthwaite's degrees of
freedom, because a model and its baseline need not scatter alike, and two to five seeds are too few
to find out. Ratios are compared as logarithms. Where two quantities of the same training are
compared, they are first subtracted within it: they share its luck. An interval inside the range
speaks for the claim, one wholly outside against it; anything else is undecided. So "hardly any
difference" is a finding of its own, and never a mere lack of evidence.

**Seeds.** A run and its baseline are not paired by seed. Equal seeds give both the order of the
images, and different weights, sampled RoIs and numbers drawn by different heads; what they share is
too little to be worth the pairing, which halves the degrees of freedom (three seeds: t = 4.3 rather
than 2.8). If they share something, Welch's interval is too wide rather than too narrow. With one
seed the spread is unknown, and two seeds with the very same value do not show that it is zero:
undecided, with what was seen. A count of parameters has no chance in it, so one training settles
it. Spreads are not pooled over runs, which would assume that all runs scatter alike.

**Several comparisons** (each backbone, each step of IoU). The claim holds if each interval, at 95%,
lies in the range: demanding all at once needs no correction, it errs less often than one does. It
does not hold if any interval lies outside, and there chance has as many tries as there are
comparisons: those intervals are taken at 1 − 5% / n (Bonferroni). One refuted comparison decides
whatever else is still to run; otherwise a claim with comparisons that lack results is partly run.
Different claims are not corrected for each other: of twenty claims in truth undecidable one may be
expected to look decided.

**Scale.** How large a difference is, the paper's scale alone can tell. At others a claim is judged
by its direction, if it has one, and says so.

The same test is put to the paper's printed numbers, single trainings without any interval, to see
whether they bear the sentence out.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy
from scipy.special import stdtrit

from tsd.experiments.claims_schema import (
    AbovePublished,
    Claim,
    Gain,
    Increasing,
    LargerGain,
    Level,
    Ratio,
    Size,
    is_rival,
)
from tsd.reporting.cells import Results, measure
from tsd.reporting.paper_numbers import paper_figure_value, paper_table_value

ERROR = 0.05
"""How often an interval may miss the truth."""

EXACT = frozenset({"params"})
"""Metrics without chance: every training of a run gives the same."""

RATIO_DECIMALS = 2

Point = str | float
"""What is read of a training: a metric by its id, or AP at an IoU threshold."""

LookUp = Callable[[str, Point], Mapping[int, float]]
"""Run, point → seed → value."""


class Outcome(StrEnum):
    """What can be said of a claim."""

    HOLDS = "holds"
    DOES_NOT = "does not"
    UNDECIDED = "undecided"
    PARTLY_RUN = "partly run"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Range:
    """Where a number should lie.

    Args:
        low: From here.
        high: To here.
        without_ends: Whether the ends themselves are outside.
    """

    low: float = -math.inf
    high: float = math.inf
    without_ends: bool = False

    def contains(self, low: float, high: float) -> bool:
        """Tell whether an interval lies inside."""
        if self.without_ends:
            return self.low < low and high < self.high
        return self.low <= low and high <= self.high

    def misses(self, low: float, high: float) -> bool:
        """Tell whether an interval lies wholly outside."""
        if self.without_ends:
            return high <= self.low or self.high <= low
        return high < self.low or self.high < low


@dataclass(frozen=True)
class Estimate:
    """A comparison's number.

    Args:
        value: Of the means.
        interval: Its 95% interval; None where the spread is unknown.
        wide: The interval at 95% for all comparisons of the claim at once; None likewise.
        seeds: How many, of the run and, if there is one, the baseline.
    """

    value: float
    interval: tuple[float, float] | None
    wide: tuple[float, float] | None
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """One number that a test looks at.

    Args:
        run: Id.
        baseline: Id; None where the run stands by itself.
        plus: Points that are averaged,
        minus: and those whose mean is taken off, in the same training.
        ratio: Whether the run is divided by the baseline.
        about: The quantity in words.
        decimals: To be written with.
        unit: Of the number.
    """

    run: str
    baseline: str | None
    plus: tuple[Point, ...]
    minus: tuple[Point, ...]
    ratio: bool
    about: str
    decimals: int
    unit: str

    @property
    def title(self) -> str:
        """The runs and the quantity, with its unit."""
        names = f"{self.run} {self.operator} {self.baseline}" if self.baseline else self.run
        return f"{names}: {self.quantity}"

    @property
    def operator(self) -> str:
        """What stands between run and baseline."""
        return "/" if self.ratio else "−"

    @property
    def quantity(self) -> str:
        """What is compared, with its unit."""
        return f"{self.about} ({self.unit})" if self.unit else self.about

    @property
    def is_exact(self) -> bool:
        """Whether no chance is in it."""
        return EXACT.issuperset((*self.plus, *self.minus))

    def sample(self, look_up: LookUp, run: str) -> list[float]:
        """Gather the quantity of each training that has all of its points."""
        plus = [look_up(run, point) for point in self.plus]
        minus = [look_up(run, point) for point in self.minus]
        seeds = set.intersection(*(set(values) for values in [*plus, *minus]))
        values = [
            statistics.fmean(v[seed] for v in plus)
            - (statistics.fmean(v[seed] for v in minus) if minus else 0)
            for seed in sorted(seeds)
        ]
        return [math.log(v) for v in values if v > 0] if self.ratio else values

    def estimate(self, look_up: LookUp, comparisons: int) -> Estimate | None:
        """Compute the number; None where the run or the baseline has no value.

        Args:
            look_up: Where values come from.
            comparisons: How many the claim makes.
        """
        names = [self.run] if self.baseline is None else [self.run, self.baseline]
        groups = [self.sample(look_up, name) for name in names]
        if not all(groups):
            return None
        value = statistics.fmean(groups[0])
        if self.baseline is not None:
            value -= statistics.fmean(groups[1])

        def interval(error: float) -> tuple[float, float] | None:
            half = 0.0 if self.is_exact else half_width(groups, error)
            return None if half is None else (scaled(value - half), scaled(value + half))

        def scaled(x: float) -> float:
            return float(numpy.exp(x)) if self.ratio else x

        return Estimate(
            scaled(value), interval(ERROR), interval(ERROR / comparisons), tuple(map(len, groups))
        )


@dataclass(frozen=True)
class Evidence:
    """A comparison with what came of it.

    Args:
        comparison: What was compared.
        expected: Where the claim puts it, at the scale at hand; None if that cannot be judged.
        measured: By our runs.
        published: The same, of the paper's numbers.
        claimed: Where the claim puts it at the paper's scale.
    """

    comparison: Comparison
    expected: Range | None
    measured: Estimate | None
    published: float | None
    claimed: Range | None

    @property
    def speaks_for(self) -> bool:
        """Whether the interval lies where the claim puts the number."""
        interval = self.measured and self.measured.interval
        return bool(self.expected and interval and self.expected.contains(*interval))

    @property
    def speaks_against(self) -> bool:
        """Whether even the wide interval lies elsewhere."""
        interval = self.measured and self.measured.wide
        return bool(self.expected and interval and self.expected.misses(*interval))


@dataclass(frozen=True)
class Verdict:
    """A claim, judged.

    Args:
        claim: The claim.
        outcome: What our runs say.
        remarks: What limits the verdict, in sentences.
        paper: What the paper's own numbers say.
        evidence: What both rest on.
    """

    claim: Claim
    outcome: Outcome
    remarks: list[str]
    paper: Outcome
    evidence: list[Evidence]


def judge(results: Results, claims: Iterable[dict[str, Any]]) -> list[Verdict]:
    """Judge claims by collected results.

    Args:
        results: The content of ``results.json``.
        claims: As dumped from :class:`~tsd.experiments.claims_schema.Claim`.
    """
    return [_judge(results, Claim.model_validate(claim)) for claim in claims]


def half_width(groups: list[list[float]], error: float) -> float | None:
    """Return how far Welch's interval reaches to either side of a mean or a difference of means.

    Args:
        groups: The values of one or two independent samples.
        error: How often the interval may miss.

    Returns:
        None where the spread is unknown: fewer than two values, or not a single deviation.
    """
    if any(len(group) < 2 for group in groups):
        return None
    parts = [statistics.variance(group) / len(group) for group in groups]
    total = math.fsum(parts)
    if total == 0:
        return None
    freedom = 1 / sum(
        (part / total) ** 2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True)
    )
    return float(stdtrit(freedom, 1 - error / 2)) * math.sqrt(total)


def _judge(results: Results, claim: Claim) -> Verdict:
    is_paper = results["scale"]["is_paper"]
    measured, published = _measured(results), _published(results, claim)
    comparisons = compare(results, claim)
    evidence = []
    for comparison in comparisons:
        printed = comparison.estimate(published, 1)
        value = None if printed is None else round(printed.value, 9)
        direction, claimed = _ranges(results, claim, comparison, value)
        evidence.append(
            Evidence(
                comparison,
                claimed if is_paper else direction,
                comparison.estimate(measured, len(comparisons)),
                value,
                claimed,
            )
        )
    remarks = _remarks(results, claim, evidence)
    return Verdict(claim, _outcome(evidence), remarks, _papers(evidence), evidence)


def _outcome(evidence: list[Evidence]) -> Outcome:
    """Decide by the measured intervals."""
    found = [e.measured for e in evidence]
    if not any(found):
        return Outcome.NOT_RUN
    if any(e.speaks_against for e in evidence):
        return Outcome.DOES_NOT
    if not all(found):
        return Outcome.PARTLY_RUN
    return Outcome.HOLDS if all(e.speaks_for for e in evidence) else Outcome.UNDECIDED


def _papers(evidence: list[Evidence]) -> Outcome:
    """Decide by the paper's printed numbers."""
    printed = [(e.claimed, e.published) for e in evidence if e.claimed and e.published is not None]
    if any(claimed.misses(value, value) for claimed, value in printed):
        return Outcome.DOES_NOT
    if not printed:
        return Outcome.NOT_RUN
    return Outcome.HOLDS if len(printed) == len(evidence) else Outcome.PARTLY_RUN


def _remarks(results: Results, claim: Claim, evidence: list[Evidence]) -> list[str]:
    """Say what limits the verdict."""
    found = [e.measured for e in evidence if e.measured]
    remarks = []
    runs = results["runs"]
    absent = [name for name in claim.runs if name in runs and not runs[name]["at_scale"]]
    if absent:
        remarks.append(f"Not at this scale: {', '.join(absent)}.")
    if 0 < len(found) < len(evidence):
        remarks.append(f"{len(found)} of {len(evidence)} comparisons have results.")
    if found and any(e.expected != e.claimed for e in evidence):
        if all(e.expected is None for e in evidence):
            remarks.append("Only the paper’s scale can decide it.")
        else:
            remarks.append("Direction only at this scale.")
    unknown = sum(e.interval is None for e in found)
    if unknown:
        remarks.append(
            f"Spread unknown in {unknown} of {len(found)} comparisons: "
            "fewer than two different values of a run."
        )
    return remarks


def compare(results: Results, claim: Claim) -> list[Comparison]:
    """List the numbers that a claim's test looks at."""
    test = claim.test

    def title_of(points: Iterable[Point]) -> str:
        words = [p if isinstance(p, float) else results["metrics"][p]["title"] for p in points]
        texts = [f"AP at IoU {word:g}" if isinstance(word, float) else word for word in words]
        return texts[0] if len(texts) == 1 else f"mean of {texts[0]} to {texts[-1]}"

    def made(
        run: str, baseline: str | None, plus: Iterable[Point], minus: Iterable[Point] = ()
    ) -> Comparison:
        plus, minus, ratio = tuple(plus), tuple(minus), isinstance(test, Ratio)
        about = f"{title_of(plus)} less {title_of(minus)}" if minus else title_of(plus)
        metric = results["metrics"]["AP" if isinstance(plus[0], float) else plus[0]]
        decimals, unit = (RATIO_DECIMALS, "") if ratio else (metric["decimals"], metric["unit"])
        return Comparison(run, baseline, plus, minus, ratio, about, decimals, unit)

    if isinstance(test, AbovePublished):
        return [made(test.run, None, [test.metric])]
    if isinstance(test, Level):
        return [made(run, None, [test.metric]) for run in test.runs]
    found = []
    for pair in test.pairs:
        if isinstance(test, Gain):
            found += [made(pair.run, pair.baseline, [metric]) for metric in test.metrics]
        elif isinstance(test, Ratio):
            found.append(made(pair.run, pair.baseline, [test.metric]))
        elif isinstance(test, LargerGain):
            found += [made(pair.run, pair.baseline, q, test.than) for q in test.quantities]
        elif isinstance(test, Increasing):
            steps = zip(test.iou[1:], test.iou, strict=False)
            found += [made(pair.run, pair.baseline, [high], [low]) for high, low in steps]
    return found


def _ranges(
    results: Results, claim: Claim, comparison: Comparison, published: float | None
) -> tuple[Range | None, Range | None]:
    """Return where the claim puts a number at any scale, and at the paper's."""
    test = claim.test
    if isinstance(test, AbovePublished):
        return None, Range(low=_best_rival(results, test), without_ends=True)
    if isinstance(test, LargerGain | Increasing):
        return Range(low=0, without_ends=True), Range(low=0, without_ends=True)
    direction = None
    if not isinstance(test, Level) and test.direction is not None:
        neutral = 1 if comparison.ratio else 0
        up = test.direction == "up"
        low, high = (neutral, math.inf) if up else (-math.inf, neutral)
        direction = Range(low, high, without_ends=True)
    size = _size_range(test.size, published) if test.size else None
    return direction, size or direction


def _size_range(size: Size, published: float | None) -> Range | None:
    """Return the range of a size; None where it refers to a number that is not printed."""
    if size.within is not None:
        centre = published if size.about is None else size.about
        return None if centre is None else Range(centre - size.within, centre + size.within)
    low = -math.inf if size.at_least is None else size.at_least
    high = math.inf if size.at_most is None else size.at_most
    return Range(low, high)


def _best_rival(results: Results, test: AbovePublished) -> float:
    """Return the highest number that a table prints of others."""
    (table,) = (table for table in results["tables"] if table["id"] == test.table)
    return max(row["published"][test.metric] for row in table["rows"] if is_rival(row, test))


def _measured(results: Results) -> LookUp:
    """Return where the runs' values come from."""

    def look_up(run: str, point: Point) -> Mapping[int, float]:
        if isinstance(point, str):
            return measure(results, run, point).values
        trainings = results["runs"].get(run, {"seeds": {}})["seeds"]
        found = {
            int(seed): _at(training["grid"], point)
            for seed, training in trainings.items()
            if training.get("grid")
        }
        return {seed: value for seed, value in found.items() if value is not None}

    return look_up


def _at(grid: dict[str, Any], iou: float) -> float | None:
    """Return AP of objects of all sizes at an IoU threshold."""
    area = grid["area"].index("all")
    for threshold, row in zip(grid["iou"], grid["AP"], strict=True):
        if math.isclose(threshold, iou, abs_tol=1e-6):
            return row[area]
    return None


def _published(results: Results, claim: Claim) -> LookUp:
    """Return where the paper's values come from, as of a single seed."""

    def look_up(run: str, point: Point) -> Mapping[int, float]:
        if isinstance(point, float):
            value = paper_figure_value(results, run, point)
        else:
            value = claim.published.get(run, {}).get(point)
            if value is None:
                value = paper_table_value(results, run, point)
        return {} if value is None else {0: value}

    return look_up
