"""Effects in words: what could be found, what would decide a claim, what pairs say together."""

from collections.abc import Mapping, Sequence

from tsd.experiments.comparisons import Comparison
from tsd.experiments.metrics import Metric
from tsd.reporting.effort import MOST, Effort
from tsd.reporting.intervals import ERROR, POWER, Estimate
from tsd.reporting.moderation import FEWEST
from tsd.reporting.pooled import Pooled
from tsd.reporting.verdicts import Evidence, Outcome, Verdict
from tsd.reporting.wording import count, level, listed, number, signed
from tsd.results.collected import Results


def interval_note(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Say what the numbers after a measured one mean, and on what the intervals rest.

    Args:
        results: What was collected.
        verdicts: The claims, judged.
    """
    found = [
        one.measured
        for verdict in verdicts
        for one in verdict.counted
        if one.measured and one.measured.detectable is not None
    ]
    error = found[0].error if found else ERROR
    said = (
        f"After a measured number come its {level(error)} interval and the number of seeds, and "
        f"below it the smallest effect that so many trainings show with a chance of {POWER:.0%}."
    )
    if not found:
        return said
    lent = sum(estimate.is_moderated for estimate in found)
    if not lent:
        return f"{said} Each run’s own spread makes the intervals, which are Welch’s."
    if lent == len(found):
        said = f"{said} The intervals use the spread of all runs that have several seeds."
    else:
        said = (
            f"{said} Of {len(found)} intervals, {lent} use the spread of all runs that have "
            "several seeds; the others are Welch’s."
        )
    return f"{said} {_borrowed_text(results)}".rstrip()


def _borrowed_text(results: Results) -> str:
    """Say which runs the spread is of, and that the others only take it over."""
    repeated = [name for name, run in results.runs.items() if run.evaluated > 1]
    alone = sum(run.evaluated == 1 for run in results.runs.values())
    if not alone or not repeated:
        return ""
    return (
        f"That spread is of {listed(repeated)}. {count(alone, 'other run')} "
        f"{'was' if alone == 1 else 'were'} trained once, and that "
        f"{'it scatters' if alone == 1 else 'they scatter'} as much is taken for granted."
    )


def interval_text(comparison: Comparison, found: Estimate, decimals: int) -> str:
    """Write the interval of a number, with how often such an interval contains the truth.

    Args:
        comparison: What is compared.
        found: Its number.
        decimals: As many are written.

    Returns:
        The empty text where there is no interval.
    """
    if found.interval is None:
        return ""
    write = signed if comparison.is_signed else number
    low, high = (write(end, decimals) for end in found.interval)
    return f"({level(found.error)}: {low} to {high})"


def detectable_text(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write the smallest effect that can be found; the empty text where it is not known.

    Args:
        evidence: A comparison with what came of it.
        metrics: The collected metrics, by id.
    """
    found, comparison = evidence.measured, evidence.comparison
    if found is None or found.detectable is None or evidence.repeats is not None:
        return ""
    text = number(found.detectable, comparison.decimals(metrics))
    return f"detectable: a factor of {text}" if _is_factor(comparison) else f"detectable: {text}"


def _is_factor(comparison: Comparison) -> bool:
    """Tell whether an effect is a factor, as it is of quotients, rather than a difference."""
    return comparison.unscaled(0) == 1


def effort_text(verdict: Verdict) -> str:
    """Say what it would take to decide a claim; the empty text where that is no question.

    Args:
        verdict: A claim, judged.
    """
    if verdict.outcome is not Outcome.UNDECIDED or any(e.expected is None for e in verdict.counted):
        return ""
    effort = verdict.effort
    if effort is None:
        return (
            "How many seeds would decide it can be said when its runs, or any "
            f"{FEWEST} runs, have two different values each."
        )
    end = "show that it holds" if effort.would_hold else "refute it"
    if effort.seeds is None:
        return f"At the present estimate, more than {MOST} seeds of a run would be needed to {end}."
    by_count: dict[int, list[str]] = {}
    for run, seeds in sorted(effort.seeds.items(), key=lambda item: item[1]):
        by_count.setdefault(seeds, []).append(run)
    words = [
        f"{count(seeds, 'seed')} {'each ' if len(runs) > 1 else ''}of {listed(runs)}"
        for seeds, runs in by_count.items()
    ]
    return (
        f"At the present estimate, {'; '.join(words)} would {end} with a chance of "
        f"{POWER:.0%}{_hours(effort)}."
    )


def _hours(effort: Effort) -> str:
    """Say what the further trainings take, if that is known."""
    for hours, unit in ((effort.core_hours, "core"), (effort.gpu_hours, "GPU")):
        if hours is not None:
            decimals = 1 if hours < 10 else 0
            return f", which takes another {number(hours, decimals)} {unit}-hours"
    return ""


def mean_text(pooled: Pooled, metrics: Mapping[str, Metric]) -> str:
    """Write the mean of a claim's pairs with its interval, without a unit.

    Args:
        pooled: What the pairs say together.
        metrics: The collected metrics, by id.
    """
    comparison, mean = pooled.comparison, pooled.mean
    decimals = comparison.decimals(metrics)
    write = signed if comparison.is_signed else number
    words = [write(mean.value, decimals), interval_text(comparison, mean, decimals)]
    return " ".join(word for word in words if word)


def pooled_text(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Say what the pairs of a claim say together; the empty text where there are not several.

    Args:
        verdict: A claim, judged.
        metrics: The collected metrics, by id.
    """
    pooled = verdict.pooled
    if pooled is None:
        return ""
    unit = pooled.comparison.unit(metrics)
    average = mean_text(pooled, metrics) + (f" {unit}" if unit else "")
    return (
        f"Together, the {pooled.pairs} measured pairs have {average} "
        f"on average. In {pooled.above} of them the run is above its baseline, and so it is in "
        f"{pooled.probability:.0%} of the pairs that its trainings make with those of the "
        "baseline. This does not change the verdict."
    )
