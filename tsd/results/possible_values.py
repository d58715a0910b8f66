"""Which values a measured quantity can have, so that no report shows one that it cannot have.

The types here are those of the keys of records (:mod:`tsd.results.records`). A file that was edited
by hand, or written by something else, is refused by them where it is read.
"""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

from tsd.experiments.metrics import METRICS

ROUNDING = 1e-6
"""By so much a sum of floating-point numbers may leave the bounds of what it stands for."""

Count = Annotated[int, Field(ge=0)]
"""How many there are of something."""

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""How much there is of something: seconds, memory."""


def _require_between(name: str, value: float | None, lowest: float, highest: float) -> None:
    if value is None:
        return
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}, which is no finite number")
    if not lowest - ROUNDING <= value <= highest + ROUNDING:
        limits = f"from {lowest:g} to {highest:g}" if highest < math.inf else f"{lowest:g} or more"
        raise ValueError(f"{name} is {value:g}, but can only be {limits}")


def _metrics(values: dict[str, float | None]) -> dict[str, float | None]:
    """Check each metric by its bounds; one that is not declared has to be finite."""
    for name, value in values.items():
        bounds = METRICS[name].bounds if name in METRICS else (-math.inf, math.inf)
        _require_between(name, value, *bounds)
    return values


def _percentages(values: dict[str, float | None]) -> dict[str, float | None]:
    for name, value in values.items():
        _require_between(f"that of class {name!r}", value, 0, 100)
    return values


Metrics = dict[str, float | None]
"""Id of a metric → value in the metric's unit; None where there was nothing to measure."""

PossibleMetrics = Annotated[Metrics, AfterValidator(_metrics)]
"""The same, each value within the bounds of its metric."""

Percentages = Annotated[dict[str, float | None], AfterValidator(_percentages)]
"""Name of a class → a value in percent; None where there was nothing to measure."""
