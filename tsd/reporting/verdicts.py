"""Whether each of the paper's claims holds, as far as the trainings at hand can tell.

The test of a claim makes one or more comparisons of runs (:mod:`tsd.experiments.claim_tests`) and
says in which range each of their numbers should lie, such as above 0, or from 3 to 5.

**One comparison.** A 95% interval (:mod:`tsd.reporting.intervals`) inside the range speaks for the
claim, and one wholly outside speaks against it. Anything else leaves it undecided. So "hardly any
difference" is a finding of its own and never a mere lack of evidence. How large a difference could
have been found stands beside each number, and :mod:`tsd.reporting.effort` says what it would take
to decide what is undecided.

**Several comparisons**, such as one for each backbone. The claim holds if each interval lies in its
range. These intervals need no correction: to demand all of them at once errs less often than to
demand one. The claim does not hold if any interval lies wholly outside. There chance has as many
tries as there are comparisons, so that these intervals are taken at 1 − 5% / n for n comparisons
(Bonferroni's correction). One refuted comparison decides, whatever else is still to run; otherwise
a claim of which some comparisons lack results has partial results. Different claims are not
corrected for each other: of twenty claims that are in truth undecidable, one may be expected to
look decided. ``docs/verdicts.md`` shows by simulation how often a verdict errs, and how often it is
reached. Beside a claim of several pairs stands what they say together
(:mod:`tsd.reporting.pooled`), which does not change the verdict.

**Looks.** Whoever judges the same runs several times, as trainings are added, divides the error
among the looks and passes the share of this one: every interval of the verdicts is then taken at
that error.

**Data.** A run that is about a data set decides nothing where another one stands in for it. Runs
that compile to the same training are one piece of evidence, and count once.

**Scale.** Only the paper's scale can tell how large a difference is. At other scales a claim is
judged by its direction, if it has one, and a remark says so.

The same test is put to the numbers that the paper prints, to see whether they bear its own sentence
out. These are of single trainings and have no interval.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tsd.experiments.claims_schema import Claim
from tsd.experiments.comparisons import Comparison, Range
from tsd.reporting.cells import measure, training_id
from tsd.reporting.effort import Compared, Effort, effort
from tsd.reporting.families import Families
from tsd.reporting.intervals import ERROR, Estimate, LookUp, estimate
from tsd.reporting.paper_numbers import paper_numbers
from tsd.reporting.pooled import Pooled, pool
from tsd.results.collected import Results


class Outcome(StrEnum):
    """What can be said of a claim."""

    HOLDS = "holds"
    DOES_NOT = "does not hold"
    UNDECIDED = "undecided"
    PARTIAL_RESULTS = "partial results"
    NO_RESULTS = "no results"

    @property
    def is_decision(self) -> bool:
        """Whether the claim is decided."""
        return self in (Outcome.HOLDS, Outcome.DOES_NOT)


@dataclass(frozen=True)
class Evidence:
    """A comparison with what came of it.

    Args:
        comparison: What was compared.
        expected: Where the claim puts the number at the scale at hand; None where this scale cannot
            decide.
        measured: What our trainings gave for it; None where a run has no value.
        published: What the paper's printed numbers give for it; None where one is not printed.
        claimed: Where the claim puts the number at the paper's scale.
        repeats: An earlier comparison of the claim that is made of the same trainings, so that this
            one does not count again; None where there is no such comparison.
    """

    comparison: Comparison
    expected: Range | None
    measured: Estimate | None
    published: float | None
    claimed: Range | None
    repeats: Comparison | None = None

    @property
    def speaks_for(self) -> bool:
        """Whether the interval lies where the claim puts the number."""
        interval = self.measured and self.measured.interval
        return bool(self.expected and interval and self.expected.contains(*interval))

    @property
    def speaks_against(self) -> bool:
        """Whether even the wide interval lies wholly elsewhere."""
        interval = self.measured and self.measured.wide
        return bool(self.expected and interval and self.expected.misses(*interval))

    @property
    def is_of_another_size(self) -> bool:
        """Whether the interval lies wholly outside of where the claim itself puts the number."""
        interval = self.measured and self.measured.interval
        return bool(self.claimed and interval and self.claimed.misses(*interval))


@dataclass(frozen=True)
class Verdict:
    """A claim, judged.

    Args:
        claim: The claim.
        outcome: What our trainings say of it.
        paper: What the paper's own numbers say of it.
        evidence: What the paper's numbers say, and what was measured.
        effort: What it would take to decide it; None where it is not undecided, or where that
            cannot be said.
        pooled: What its pairs say together; None where it has not several with results.
        look: The number of the look at growing results that it is of; None where the number of
            seeds is fixed (:mod:`tsd.reporting.verdicts_by_look`).
    """

    claim: Claim
    outcome: Outcome
    paper: Outcome
    evidence: list[Evidence]
    effort: Effort | None = None
    pooled: Pooled | None = None
    look: int | None = None

    @property
    def counted(self) -> list[Evidence]:
        """The evidence that the outcome rests on: each pair of trainings counts once."""
        return [evidence for evidence in self.evidence if evidence.repeats is None]

    @property
    def is_of_direction(self) -> bool:
        """Whether less was judged than the claim says: of a size, its direction alone."""
        return any(one.expected not in (None, one.claimed) for one in self.counted)

    @property
    def is_of_another_size(self) -> bool:
        """Whether the direction alone was judged, and nothing that was measured has the size."""
        return self.is_of_direction and all(one.is_of_another_size for one in self.counted)


def judge(results: Results, error: float = ERROR) -> list[Verdict]:
    """Judge the collected claims by the collected results.

    Args:
        results: What was collected.
        error: How often an interval may miss the truth; all intervals of the verdicts use it.
    """
    families = Families(results)
    return [_judge(results, claim, families, error) for claim in results.claims]


def _judge(results: Results, claim: Claim, families: Families, error: float) -> Verdict:
    evidence = list(_evidence(results, claim, families, error))
    counted = [one for one in evidence if one.repeats is None]
    outcome = outcome_of(counted)
    return Verdict(
        claim,
        outcome,
        _papers(evidence),
        evidence,
        _effort(results, counted) if outcome is Outcome.UNDECIDED else None,
        _pooled(results, claim, counted, families, error),
    )


def _evidence(
    results: Results, claim: Claim, families: Families, error: float
) -> Iterable[Evidence]:
    """Yield each comparison of a claim's test with what is expected and what was found."""
    published = paper_numbers(results, claim)
    measured = _measured(results, claim.protocol)
    comparisons = claim.test.comparisons()
    firsts: dict[object, Comparison] = {}
    for comparison in comparisons:
        firsts.setdefault(_identity(results, comparison), comparison)
    for comparison in comparisons:
        first = firsts[_identity(results, comparison)]
        printed = estimate(comparison, published)
        # A difference of decimal fractions is not exact in binary: 40.8 − 39.5 is less than 1.3.
        value = None if printed is None else round(printed.value, 9)
        claimed = claim.test.claimed_range(value, results.tables)
        yield Evidence(
            comparison,
            claimed if _is_comparable(results, comparison) else claim.test.expected_range(),
            estimate(
                comparison,
                measured,
                comparison.is_exact(results.metrics),
                len(firsts),
                families.prior(comparison),
                error,
            )
            if _are_two(results, comparison)
            else None,
            value,
            claimed,
            None if first is comparison else first,
        )


def _effort(results: Results, evidence: list[Evidence]) -> Effort | None:
    """Say what it would take to decide a claim; None where this scale cannot decide it."""
    compared = [
        Compared(one.comparison, one.expected, one.measured)
        for one in evidence
        if one.expected and one.measured
    ]
    return effort(results, compared) if len(compared) == len(evidence) else None


def _pooled(
    results: Results, claim: Claim, evidence: list[Evidence], families: Families, error: float
) -> Pooled | None:
    """Take the pairs of a claim together that have results; None where no chance is in them."""
    wanted = claim.test.averaged()
    found = [
        one.comparison
        for one in evidence
        if one.measured
        and one.comparison in wanted
        and not one.comparison.is_exact(results.metrics)
    ]
    if not found:
        return None
    return pool(
        found,
        _measured(results, claim.protocol),
        lambda run: training_id(results, run),
        families.prior(found[0]),
        error,
    )


def _is_comparable(results: Results, comparison: Comparison) -> bool:
    """Tell whether all runs of a comparison have numbers that may be set against the paper's."""
    known = [results.runs[run] for run in comparison.runs if run in results.runs]
    return all(run.is_comparable for run in known) if known else results.scale.is_paper


def _identity(results: Results, comparison: Comparison) -> object:
    """Tell comparisons apart by the trainings that they compare, whatever their runs are called."""
    trainings = tuple(training_id(results, run) for run in comparison.runs)
    return type(comparison), comparison.quantity, trainings


def _are_two(results: Results, comparison: Comparison) -> bool:
    """Tell whether no training of a comparison would be its own baseline."""
    return len({training_id(results, run) for run in comparison.runs}) == len(comparison.runs)


def _measured(results: Results, protocol: str | None) -> LookUp:
    """Return where the values of our trainings come from, those under a protocol or under any."""
    return lambda run, metric: measure(results, run, metric, protocol).values


def outcome_of(evidence: list[Evidence]) -> Outcome:
    """Decide by the measured intervals."""
    found = [e.measured for e in evidence]
    if not any(found):
        return Outcome.NO_RESULTS
    if any(e.speaks_against for e in evidence):
        return Outcome.DOES_NOT
    if not all(found):
        return Outcome.PARTIAL_RESULTS
    return Outcome.HOLDS if all(e.speaks_for for e in evidence) else Outcome.UNDECIDED


def _papers(evidence: list[Evidence]) -> Outcome:
    """Decide by the paper's printed numbers."""
    printed = [(e.claimed, e.published) for e in evidence if e.claimed and e.published is not None]
    if any(claimed.misses(value, value) for claimed, value in printed):
        return Outcome.DOES_NOT
    if not printed:
        return Outcome.NO_RESULTS
    return Outcome.HOLDS if len(printed) == len(evidence) else Outcome.PARTIAL_RESULTS
