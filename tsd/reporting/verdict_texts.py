"""Verdicts on the paper's claims in words and numbers, for the report's pages."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tsd.experiments.comparisons import Comparison, Range
from tsd.experiments.metrics import Metric
from tsd.reporting.comparability import data_name, networks_text, papers_data_name
from tsd.reporting.effect_texts import interval_text
from tsd.reporting.moderation import FEWEST
from tsd.reporting.object_counts import few_objects
from tsd.reporting.verdicts import Evidence, Outcome, Verdict
from tsd.reporting.wording import listed, listed_once, number, own_decimals, signed
from tsd.results.collected import Results

SYMBOLS = {
    Outcome.HOLDS: "✓",
    Outcome.DOES_NOT: "✗",
    Outcome.UNDECIDED: "?",
    Outcome.PARTIAL_RESULTS: "◐",
    Outcome.NO_RESULTS: "○",
}
"""A sign for each outcome, so that a verdict can be told without its colour."""

LEGEND = {
    Outcome.HOLDS: "A claim holds if every interval lies in the range in which the claim puts "
    "the number.",
    Outcome.DOES_NOT: "A claim does not hold if at least one interval lies wholly outside that "
    "range, even after it has been widened for the number of comparisons that the claim makes.",
    Outcome.UNDECIDED: "A claim is undecided if neither can be said of it: the seeds differ too "
    "much from each other, they are too few for an interval, or only the paper’s conditions can "
    "decide.",
    Outcome.PARTIAL_RESULTS: "A claim has partial results if some of its comparisons were not "
    "measured here and none of the others speaks against it.",
    Outcome.NO_RESULTS: "A claim has no results if none of its comparisons was measured here.",
}
"""What each outcome of our trainings means."""

COUNTED = {
    Outcome.HOLDS: ("holds", "hold"),
    Outcome.DOES_NOT: ("does not hold", "do not hold"),
    Outcome.UNDECIDED: ("is undecided", "are undecided"),
    Outcome.PARTIAL_RESULTS: ("has partial results", "have partial results"),
    Outcome.NO_RESULTS: ("has no results", "have no results"),
}
"""What is said of one claim with this outcome, and of several."""

PAPERS_OWN = {
    Outcome.HOLDS: "The paper’s own numbers bear it out.",
    Outcome.DOES_NOT: "The paper’s own numbers do not bear it out.",
    Outcome.PARTIAL_RESULTS: "The paper prints only some of the numbers, and these bear it out.",
    Outcome.NO_RESULTS: "The paper prints no numbers that could bear it out.",
}
"""What is said of the paper's own numbers."""


PAPERS_NOTE = (
    "The paper’s own numbers bear a claim out unless its line or its evidence says otherwise."
)
"""Said once, since it is so of most claims."""

NOT_BORNE_OUT = "the paper’s own numbers contradict it"
"""Said in the line of a claim that the paper's numbers contradict."""


def groups(verdicts: Sequence[Verdict]) -> dict[Outcome, list[Verdict]]:
    """Part the claims by what came of them.

    Args:
        verdicts: The claims, judged.

    Returns:
        Outcome → claims in their order, outcomes without a claim left out.
    """
    return {
        outcome: [verdict for verdict in verdicts if verdict.outcome is outcome]
        for outcome in present(verdicts)
    }


def present(verdicts: Iterable[Verdict]) -> list[Outcome]:
    """List the outcomes that occur.

    Args:
        verdicts: The claims, judged.
    """
    found = {verdict.outcome for verdict in verdicts}
    return [outcome for outcome in Outcome if outcome in found]


def tally(verdicts: Sequence[Verdict]) -> str:
    """Say in a sentence how many claims have which outcome.

    Args:
        verdicts: The claims, judged.
    """
    counts = {
        outcome: sum(verdict.outcome is outcome for verdict in verdicts)
        for outcome in present(verdicts)
    }
    words = [f"{count} {COUNTED[outcome][count != 1]}" for outcome, count in counts.items()]
    return f"Of {len(verdicts)} claim{'s' * (len(verdicts) != 1)}, {listed(words)}."


def remarks(verdict: Verdict, results: Results) -> list[str]:
    """Say what limits a verdict, in sentences.

    Args:
        verdict: A claim, judged.
        results: What was collected.
    """
    evidence, said = verdict.counted, []
    found = [e.measured for e in evidence if e.measured]
    known = [name for name in verdict.claim.runs if name in results.runs]
    if (elsewhere := _other_data(results, known, bool(found))) is not None:
        said.append(elsewhere)
    runs = results.runs
    absent = [n for n in known if runs[n].is_about_these_data and not runs[n].at_scale]
    if absent:
        said.append(f"This scale does not have the run{'s' * (len(absent) > 1)} {listed(absent)}.")
    broken = [name for name in known if runs[name].mistake is not None]
    if broken:
        said.append(f"The run{'s' * (len(broken) > 1)} {listed(broken)} cannot be made.")
    if 0 < len(found) < len(evidence):
        said.append(f"There are results for {len(found)} of {len(evidence)} comparisons.")
    if found and any(e.expected != e.claimed for e in evidence):
        if all(e.expected is None for e in evidence):
            said.append("Only the paper’s conditions can decide this claim.")
        else:
            said.append("Only its direction is judged here.")
    unknown = sum(estimate.interval is None for estimate in found)
    if unknown:
        said.append(
            f"The spread over seeds is unknown in {unknown} of {len(found)} comparisons, because "
            "a run has fewer than two different values, and too few runs "
            f"(fewer than {FEWEST}) have a spread to go by."
        )
    measured = [e.comparison for e in evidence if e.measured]
    runs_behind = [run for comparison in measured for run in comparison.runs]
    metrics = [name for comparison in measured for name in comparison.quantity.all_metrics]
    if few := few_objects(results, runs_behind, list(dict.fromkeys(metrics))):
        said.append(few)
    return said


def _other_data(results: Results, names: Sequence[str], has_results: bool) -> str | None:
    """Say that the paper's sentence is about other data than those at hand, where that matters."""
    runs = [results.runs[name] for name in names if not results.runs[name].is_on_papers_data]
    if not runs:
        return None
    papers = listed_once(papers_data_name(run) for run in runs)
    sentence = f"The paper’s sentence is about {papers}"
    if any(run.is_about_these_data for run in runs):
        return f"{sentence}." if has_results else None
    here = listed_once(data_name(results, run) for run in runs)
    return f"{sentence}, so that trainings on {here} do not decide it."


def statement(verdict: Verdict, results: Results) -> str:
    """Write what a claim says, and on which data it was put to the test.

    Args:
        verdict: A claim, judged.
        results: What was collected.
    """
    runs = [results.runs[name] for name in verdict.claim.runs if name in results.runs]
    names = listed_once(
        data_name(results, run) if run.is_about_these_data else papers_data_name(run)
        for run in runs
    )
    return f"On {names}: {verdict.claim.statement}" if names else verdict.claim.statement


def networks_behind(verdict: Verdict, results: Results) -> str:
    """Say which networks the measured numbers of a claim are of; the empty text without any.

    Args:
        verdict: A claim, judged.
        results: What was collected.
    """
    measured = [evidence.comparison for evidence in verdict.evidence if evidence.measured]
    return networks_text(results, [run for comparison in measured for run in comparison.runs])


def title(comparison: Comparison, metrics: Mapping[str, Metric]) -> str:
    """Name a comparison: its runs and its quantity.

    Args:
        comparison: What is compared.
        metrics: The collected metrics, by id.
    """
    return f"{_runs_text(comparison)}: {quantity(comparison, metrics)}"


def _runs_text(comparison: Comparison) -> str:
    """Name the runs that are compared."""
    if comparison.baseline is None:
        return comparison.run
    return f"{comparison.run} {comparison.operator} {comparison.baseline}"


def quantity(comparison: Comparison, metrics: Mapping[str, Metric]) -> str:
    """Name what is read of the runs, with the unit of the number.

    Args:
        comparison: What is compared.
        metrics: The collected metrics, by id.
    """
    text = _mean(comparison.quantity.metrics, metrics)
    if comparison.quantity.less:
        text += f" less {_mean(comparison.quantity.less, metrics)}"
    unit = comparison.unit(metrics)
    return f"{text} ({unit})" if unit else text


def _mean(names: Sequence[str], metrics: Mapping[str, Metric]) -> str:
    """Name the mean of several metrics, or the one metric there is."""
    first, last = metrics[names[0]].title, metrics[names[-1]].title
    return first if len(names) == 1 else f"mean of {first} to {last}"


def measured_text(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write what was measured: the number, its interval and the seeds behind it.

    Args:
        evidence: A comparison with what came of it.
        metrics: The collected metrics, by id.
    """
    found, comparison = evidence.measured, evidence.comparison
    if found is None:
        return "no results"
    if evidence.repeats is not None:
        return f"the same trainings as {_runs_text(evidence.repeats)}, which count once"
    write, decimals = _writer(comparison), comparison.decimals(metrics)
    text = write(found.value, decimals)
    if comparison.is_exact(metrics):
        return text
    if interval := interval_text(comparison, found, decimals):
        text += f" {interval}"
    numbers = list(dict.fromkeys(found.seeds))
    each = " each" if len(numbers) < len(found.seeds) else ""
    return f"{text}, {' and '.join(map(str, numbers))} seed{'s' * (numbers != [1])}{each}"


def published_text(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write what the paper's numbers give for a comparison.

    Args:
        evidence: A comparison with what came of it.
        metrics: The collected metrics, by id.
    """
    comparison = evidence.comparison
    return _writer(comparison)(evidence.published, comparison.decimals(metrics))


def expectation(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Say in a sentence where the claim puts its numbers, here and under the paper's conditions.

    Args:
        verdict: A claim, judged.
        metrics: The collected metrics, by id.
    """
    here = _clause([(e.comparison, e.expected) for e in verdict.evidence], metrics)
    claimed = _clause([(e.comparison, e.claimed) for e in verdict.evidence], metrics)
    if all(e.expected is None for e in verdict.evidence):
        return f"Under the paper’s conditions {claimed}."
    if here == claimed:
        return f"{claimed[0].upper()}{claimed[1:]}."
    return f"Here {here}; under the paper’s conditions {claimed}."


def _clause(
    ranges: Sequence[tuple[Comparison, Range | None]], metrics: Mapping[str, Metric]
) -> str:
    """Say where the numbers of some comparisons should lie, a range that they share once."""
    texts = [_range_text(comparison, where, metrics) for comparison, where in ranges]
    if len(set(texts)) > 1:
        return f"the numbers should be {listed(texts)}, in this order"
    return f"{'the' if len(texts) == 1 else 'each'} number should be {texts[0]}"


def _range_text(comparison: Comparison, where: Range | None, metrics: Mapping[str, Metric]) -> str:
    if where is None:
        return "near one that the paper does not print"
    write, unit = _writer(comparison), comparison.unit(metrics)
    low, high = (
        write(end, own_decimals(end)) if math.isfinite(end) else ""
        for end in (where.low, where.high)
    )
    if low and high:
        text = f"from {low} to {high}"
    elif low:
        text = f"{'above' if where.without_ends else 'at least'} {low}"
    else:
        text = f"{'below' if where.without_ends else 'at most'} {high}"
    return f"{text} {unit}".strip()


def _writer(comparison: Comparison) -> Callable[[float | None, int], str]:
    """Return how the numbers of a comparison are written: differences with their sign."""
    return signed if comparison.is_signed else number
