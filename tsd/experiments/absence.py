"""Why a declared run does not exist at a scale, whatever the data set."""

from collections.abc import Container

from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Run


def reason_of_absence(run: Run, scale: Scale, checkpoints: Container[str]) -> str | None:
    """Say why a run does not exist at a scale; None if it does.

    Args:
        run: The run.
        scale: Combined with those that it extends.
        checkpoints: The names of the files of weights that are given.
    """
    if run.checkpoint is not None and run.checkpoint not in checkpoints:
        return (
            f"{run.origin}: key checkpoint: no file is given for {run.checkpoint!r}; give one by "
            f"the setting checkpoint={run.checkpoint}=FILE"
        )
    if run.backbone is None or scale.backbones is None or run.backbone in scale.backbones:
        return None
    there = ", ".join(sorted(scale.backbones)) or "none"
    return (
        f"{scale.origin}: key backbones: nothing stands for {run.backbone!r}; add an entry for it, "
        "there or in the scale that it extends if that has the key, or choose another scale "
        f"(known: {there})"
    )
