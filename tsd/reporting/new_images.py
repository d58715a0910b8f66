"""What a verdict would be on new images, where the choice of the images is uncertain too.

The verdicts of :mod:`tsd.reporting.verdicts` are about the images of the val split: their intervals
say what other seeds would give on these very images. A statement about images of this kind has a
second source of noise, that of the images (:mod:`tsd.reporting.image_noise`).

The two add up as variances do. An interval that reaches h to one side for the seeds then reaches
√(h² + z²s²), where s is the standard error that the images give, and z the normal quantile of the
interval's level. Part of the spread of seeds comes from the images and is then counted twice: which
seed does better depends on the images too. So these intervals are too wide rather than too narrow.
Where the spread of the seeds is unknown, so is the sum.

Nothing else is judged differently: the ranges, and the correction for several comparisons, are
those of the verdict.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scipy.special import ndtri

from tsd.experiments.comparisons import Comparison
from tsd.experiments.metrics import Metric
from tsd.reporting.image_noise import find
from tsd.reporting.intervals import Estimate
from tsd.reporting.verdict_texts import title
from tsd.reporting.verdicts import Evidence, Outcome, Verdict, outcome_of
from tsd.reporting.wording import number, signed
from tsd.results.collected import Results
from tsd.results.image_noise import ImageNoise

Interval = tuple[float, float]


@dataclass(frozen=True)
class NewImages:
    """A claim, judged as a statement about images of this kind.

    Args:
        outcome: What can be said of it; None where the noise of some comparison was not measured.
        evidence: The evidence of the verdict that has results, with intervals that contain both
            sources of noise.
        noise: That of the images, for each piece of evidence.
    """

    outcome: Outcome | None
    evidence: list[Evidence]
    noise: list[ImageNoise]


def on_new_images(verdict: Verdict, results: Results) -> NewImages | None:
    """Judge a claim by intervals that contain the noise of the images too.

    Args:
        verdict: The claim, judged on the images at hand.
        results: What was collected.

    Returns:
        None where there is nothing to say: no comparison has results, or the numbers do not come
        from images.
    """
    counted = verdict.counted
    found = [(one, find(results, one.comparison)) for one in counted if one.measured]
    known = [(evidence, noise) for evidence, noise in found if noise is not None]
    if not found or len(known) < len(found):
        return None
    noise = [one for _, one in known]
    if any(one.sd is None for one in noise):
        return NewImages(None, [evidence for evidence, _ in known], noise)
    wider = {id(one): with_images(one, its, len(counted)) for one, its in known}
    outcome = outcome_of([wider.get(id(one), one) for one in counted])
    return NewImages(outcome, list(wider.values()), noise)


def with_images(evidence: Evidence, noise: ImageNoise, comparisons: int) -> Evidence:
    """Widen the intervals of a measured number by the noise of the images.

    Args:
        evidence: It has a measured number.
        noise: That of the images, measured.
        comparisons: How many comparisons the claim makes.
    """
    measured = evidence.measured
    if measured is None or noise.sd is None:
        return evidence
    wider = replace(
        measured,
        interval=_widened(
            evidence.comparison, measured, measured.interval, noise.sd, measured.error
        ),
        wide=_widened(
            evidence.comparison, measured, measured.wide, noise.sd, measured.error / comparisons
        ),
    )
    return replace(evidence, measured=wider)


def _widened(
    comparison: Comparison,
    measured: Estimate,
    interval: Interval | None,
    sd: float,
    error: float,
) -> Interval | None:
    """Let an interval reach as far as both sources of noise do together.

    Args:
        comparison: Its kind says on which scale the noise is measured.
        measured: It has the number in the middle.
        interval: The interval over seeds; None where it is unknown.
        sd: Standard error that the images give.
        error: How often the interval misses.
    """
    ends = (measured.value, *(interval or (math.nan, math.nan)))
    middle, low, high = (comparison.scaled(end) for end in ends)
    if interval is None or middle is None or low is None or high is None:
        return None
    images = float(ndtri(1 - error / 2)) * sd
    return (
        comparison.unscaled(middle - math.hypot(middle - low, images)),
        comparison.unscaled(middle + math.hypot(high - middle, images)),
    )


def line(verdict: Verdict, results: Results) -> str:
    """Say what the verdict would be on new images; the empty text where there is nothing to say.

    Args:
        verdict: The claim, judged on the images at hand.
        results: What was collected.
    """
    found = on_new_images(verdict, results)
    if found is None:
        return ""
    if found.outcome is None:
        reason = next(noise.why_not for noise in found.noise if noise.why_not is not None)
        return f"How much hangs on the choice of images was not measured: {reason}."
    same = found.outcome is verdict.outcome
    here = "as on these" if same else f"on these it is “{verdict.outcome}”"
    intervals = "; ".join(
        _intervals_text(evidence, noise, results.metrics)
        for evidence, noise in zip(found.evidence, found.noise, strict=True)
    )
    images = f"{found.noise[0].images:,}"
    return (
        f"On new images the verdict would be “{found.outcome}” ({here}): to draw {images} other "
        f"images adds to the spread of the seeds. 95% intervals with both: {intervals}."
    )


def _intervals_text(evidence: Evidence, noise: ImageNoise, metrics: Mapping[str, Metric]) -> str:
    comparison = evidence.comparison
    both = None if evidence.measured is None else evidence.measured.interval
    name = title(comparison, metrics)
    alone = _interval_text(comparison, noise.interval, metrics)
    return f"{name} {_interval_text(comparison, both, metrics)} (images alone: {alone})"


def _interval_text(
    comparison: Comparison, interval: Interval | None, metrics: Mapping[str, Metric]
) -> str:
    if interval is None:
        return "unknown, like the spread of the seeds"
    write, decimals = signed if comparison.is_signed else number, comparison.decimals(metrics)
    low, high = (write(end, decimals) for end in interval)
    return f"{low} to {high}"
