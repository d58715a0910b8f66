"""What a report found, for its first screen: the claims that it names, each in a sentence.

Which claims are named follows a rule that does not look at what came of them. The claims that
``experiments/claims.yaml`` marks with ``headline`` come first, in the order of that file; where
fewer than :data:`MOST` of these have results, the first other claims that have some follow.
"""

from collections.abc import Mapping, Sequence

from tsd.experiments.comparisons import Comparison
from tsd.experiments.metrics import Metric
from tsd.reporting.effect_texts import mean_text
from tsd.reporting.verdict_texts import measured_text, published_text, quantity
from tsd.reporting.verdicts import Evidence, Outcome, Verdict
from tsd.reporting.wording import NOTHING

MOST = 5
"""So many claims are named on the first screen."""

RULE = (
    "These are the first claims with results of those that experiments/claims.yaml marks for this "
    "place, filled up with the first others. What came of them does not matter for the choice."
)
"""How the claims were chosen, for the reader."""


def named(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Choose the claims that the first screen names.

    Args:
        verdicts: The claims, judged, in the order in which they are declared.

    Returns:
        At most :data:`MOST` claims in the order of their declaration, marked ones first; none
        without results.
    """
    found = [verdict for verdict in verdicts if any(one.measured for one in verdict.counted)]
    return sorted(found, key=lambda verdict: not verdict.claim.headline)[:MOST]


def value_text(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Write what was measured for a claim, with its interval and its seeds, in a few words.

    Of a claim that makes one comparison that is its number. Of one that makes several it is their
    mean, where they can be taken together, and how many speak for the claim.

    Args:
        verdict: A claim, judged.
        metrics: The collected metrics, by id.

    Returns:
        The empty text where nothing was measured.
    """
    measured = [one for one in verdict.counted if one.measured]
    if not measured:
        return ""
    if len(verdict.counted) == 1:
        return _alone(measured[0], metrics)
    words = [_together(verdict, metrics), _votes(verdict, measured)]
    if not verdict.pooled:
        words.append(_one_of_several(measured, metrics))
    return "; ".join(word for word in words if word)


def _one_of_several(measured: Sequence[Evidence], metrics: Mapping[str, Metric]) -> str:
    """Write one comparison of those that have no mean: one that refutes, or else the first."""
    for one in measured:
        if one.speaks_against:
            return f"against it: {_alone(one, metrics)}"
    return f"the first: {_alone(measured[0], metrics)}"


def limit(verdict: Verdict) -> str:
    """Say in a few words what keeps a verdict from being one on the whole sentence.

    Args:
        verdict: A claim, judged.

    Returns:
        The empty text where nothing does, and where nothing was measured.
    """
    counted = [one for one in verdict.counted if one.measured]
    if not counted or all(one.expected == one.claimed for one in verdict.counted):
        return ""
    if all(one.expected is None for one in verdict.counted):
        return "only the paper’s conditions can decide it"
    if verdict.is_of_another_size:
        return "judged by its direction alone; the size that it states was not found"
    return "judged by its direction alone"


def direction_note(verdicts: Sequence[Verdict]) -> str:
    """Say how many of the claims that hold do so in their direction alone.

    Args:
        verdicts: The claims, judged.

    Returns:
        The empty text where there are none.
    """
    alone = [one for one in verdicts if one.outcome is Outcome.HOLDS and one.is_of_direction]
    if not alone:
        return ""
    others = sum(one.is_of_another_size for one in alone)
    text = f"Of the claims that hold, {len(alone)} {'was' if len(alone) == 1 else 'were'} judged "
    text += f"by {'its' if len(alone) == 1 else 'their'} direction alone"
    if others:
        text += (
            f"; in {others} of these all intervals lie outside of the size that the claim states"
        )
    return f"{text}."


def papers_value(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Write the paper's number for a claim that makes one comparison.

    Args:
        verdict: A claim, judged.
        metrics: The collected metrics, by id.

    Returns:
        The empty text where it makes several, or where the paper prints none.
    """
    if len(verdict.counted) != 1:
        return ""
    text = published_text(verdict.counted[0], metrics)
    return "" if text == NOTHING else text


def _alone(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write the number of one comparison after the name of what it is."""
    return f"{_name(evidence.comparison, metrics)} {measured_text(evidence, metrics)}"


def _name(comparison: Comparison, metrics: Mapping[str, Metric]) -> str:
    """Name what is compared, in a line that has no room for what goes without saying."""
    return quantity(comparison, metrics).removesuffix(" (%)")


def _together(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Write the mean of a claim's pairs; the empty text where they cannot be taken together."""
    pooled = verdict.pooled
    if pooled is None:
        return ""
    name = _name(pooled.comparison, metrics)
    return f"mean over {pooled.pairs} pairs: {name} {mean_text(pooled, metrics)}"


def _votes(verdict: Verdict, measured: Sequence[Evidence]) -> str:
    """Say how many of a claim's comparisons speak for it, and how many against."""
    speak_for = sum(one.speaks_for for one in measured)
    against = sum(one.speaks_against for one in measured)
    words = [f"{speak_for} of {len(verdict.counted)} comparisons speak for it"]
    if against:
        words.append(f"{against} against it")
    if len(measured) < len(verdict.counted):
        words.append(f"{len(verdict.counted) - len(measured)} without results")
    return ", ".join(words)
