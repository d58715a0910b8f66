"""What a scale's key ``computation`` makes of a compiled config."""

from typing import Any

from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Scale

PLAIN, BFLOAT16 = "OptimWrapper", "BFloat16OptimWrapper"
OF_MMDET = "mmdet::"


def compute_as_asked(content: dict[str, Any], scale: Scale, base: str) -> None:
    """Put into a config, in place, how its numbers are computed; nothing where that is as usual.

    Args:
        content: A compiled config.
        scale: Its scale.
        base: Name of the run's base, for messages.

    Raises:
        DeclarationError: The run cannot be computed in that way.
    """
    asked = scale.computation.settings
    if not asked:
        return
    content["computation"] = asked
    place, model = f"{scale.origin}: key computation", content["model"]
    for key in ("precision", "channels_last"):
        if key in asked:
            _require_tried(model, base, f"{place}.{key}")
    if "precision" in asked:
        wrapper = content["optim_wrapper"].get("type", PLAIN)
        if wrapper != PLAIN:
            raise DeclarationError(
                f"{place}.precision: the optim_wrapper of base {base!r} has the type {wrapper}, "
                f"and only {PLAIN} can be brought into {asked['precision']}; set its type to "
                f"{PLAIN}, or give float32"
            )
        content["optim_wrapper"]["type"] = BFLOAT16
    if "compile" in asked:
        for part in ("backbone", "neck"):
            if not model.get(part):
                raise DeclarationError(
                    f"{place}.compile: the detector of base {base!r} has no {part}, and backbone "
                    "and neck are what is compiled; leave the key or such runs out"
                )


def _require_tried(model: dict[str, Any], base: str, place: str) -> None:
    """Refuse operators that want float32 or channels one after another, or that nobody has tried.

    mmcv's deformable convolution says so itself, in the middle of a training. Of some of its other
    operators nobody knows whether they would say so or compute something else.
    """
    if base.startswith(OF_MMDET):
        raise DeclarationError(
            f"{place}: this was not tried with mmdet's own detectors such as {base!r}, which use "
            "operators that may not be made for it; leave the key or such runs out"
        )
    if model["backbone"].get("dcn"):
        raise DeclarationError(
            f"{place}: the deformable convolutions of the backbone (its key dcn) are not made for "
            "it; leave the key or such runs out"
        )
