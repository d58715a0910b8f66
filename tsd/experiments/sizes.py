"""Sizes of images in settings, as mmcv takes them: YAML has no tuples, and mmcv insists on them."""

from typing import Any


def use_tuples(transform: dict[str, Any]) -> None:
    """Turn the sizes in the settings of a transform into tuples, in place.

    Args:
        transform: Settings such as those of ``Resize``, whose ``scale`` is a size in pixels, width
            and height in either order; of ``RandomResize``, whose ``scale`` may be two sizes,
            between which it draws; and of ``RandomChoiceResize``, whose ``scales`` are several.
    """
    for key in ("scale", "scales"):
        sizes = transform.get(key)
        if not isinstance(sizes, list):
            continue
        if key == "scale" and not any(isinstance(size, list) for size in sizes):
            transform[key] = tuple(sizes)
        else:
            transform[key] = [tuple(size) if isinstance(size, list) else size for size in sizes]
