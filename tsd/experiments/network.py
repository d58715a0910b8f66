"""The name of a network, as a compiled config has it.

A row of a table is called "ResNet-50" because the paper calls it so. At a small scale another
network fills it, and a report that did not say which would be taken for one of a ResNet-50.
"""

from typing import Any

from mmengine.config import Config

from tsd.experiments.compile import dictionaries

USUAL_BASE_CHANNELS = 64
"""Channels of a residual network's first stage in the literature; mmdet's default."""


def network_name(config: Config) -> str:
    """Name a network by its backbone, its neck and the size of the images that it is tested on.

    Args:
        config: The compiled config of a run.

    Returns:
        For example "ResNet-18 (32 base channels), FPN-48, 160 px". Parts that the config does not
        have, such as a neck, are left out.
    """
    content = config.to_dict()
    model = content.get("model", {})
    backbone, neck = model.get("backbone"), model.get("neck")
    parts = [
        _backbone(backbone) if isinstance(backbone, dict) else str(model.get("type", "")),
        "+".join(_neck(one) for one in _listed(neck)),
        _image_size(content),
    ]
    return ", ".join(part for part in parts if part)


def _backbone(backbone: dict[str, Any]) -> str:
    """Name a backbone as the literature does, and say how it differs from the one of that name."""
    depth = backbone.get("depth", backbone.get("arch"))
    name = str(backbone.get("type", "unnamed"))
    if isinstance(depth, int | str):
        name += f"-{depth}"
    if backbone.get("dcn"):
        name += "-DCN"
    details = []
    if backbone.get("groups") not in (None, 1):
        details.append(f"{backbone['groups']}×{backbone.get('base_width', 4)}d")
    if backbone.get("base_channels") not in (None, USUAL_BASE_CHANNELS):
        details.append(f"{backbone['base_channels']} base channels")
    if backbone.get("embed_dims") is not None:
        details.append(f"{backbone['embed_dims']} channels")
    if backbone.get("widen_factor") not in (None, 1):
        details.append(f"{backbone['widen_factor']} times as wide")
    return f"{name} ({', '.join(details)})" if details else name


def _neck(neck: dict[str, Any]) -> str:
    """Name a neck with the number of its channels."""
    name = str(neck.get("type", "unnamed"))
    channels = neck.get("out_channels")
    return f"{name}-{channels}" if isinstance(channels, int) else name


def _image_size(content: dict[str, Any]) -> str:
    """Say how large the images of the test are: one number for a square that they fit into."""
    augmentation = content.get("test_time_augmentation")
    if augmentation:
        return f"{len(augmentation.get('scales', ()))} image sizes"
    for transform in dictionaries(content.get("test_dataloader", {})):
        if "Resize" in str(transform.get("type")) and transform.get("scale") is not None:
            scale = transform["scale"]
            sides = list(dict.fromkeys(scale if isinstance(scale, list | tuple) else [scale]))
            return f"{' × '.join(map(str, sides))} px"
    return ""


def _listed(neck: Any) -> list[dict[str, Any]]:
    """The necks of a model, which has none, one, or several in a row."""
    necks = neck if isinstance(neck, list | tuple) else [neck]
    return [one for one in necks if isinstance(one, dict)]
