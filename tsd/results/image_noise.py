"""How much compared numbers hang on the images of the val split, as ``results.json`` has it."""

from pydantic import BaseModel, ConfigDict


class ImageNoise(BaseModel):
    """A comparison of runs over draws of the images.

    ``run``, ``operator``, ``baseline``, ``metrics`` and ``less`` say which comparison it is, as
    :class:`tsd.experiments.comparisons.Comparison` does. The trainings stay as they are: what their
    seeds do is not in it.

    ``sd`` is the standard deviation over the draws, on the scale on which the comparison subtracts
    means, and so the standard error that the choice of images gives to the number. ``interval``
    holds the middle 95% of the draws. Both are None where that was not measured; then ``why_not``
    says why. ``images`` is the number of images in each draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    operator: str
    baseline: str | None
    metrics: tuple[str, ...]
    less: tuple[str, ...] = ()
    images: int | None = None
    draws: int | None = None
    sd: float | None = None
    interval: tuple[float, float] | None = None
    why_not: str | None = None
