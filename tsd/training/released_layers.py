"""What is in the authors' checkpoints: names and shapes of their tensors, and where each goes here.

The authors' released code (Sense-X/TSD) is a fork of mmdet 1.1, whose modules have other names than
those of mmdet 3. All tensors map one to one. Three kinds of layers have their outputs in another
order, and are re-ordered by the functions at the end of this module.

Letters
    K    number of classes; the released code counts the background as label 0, mmdet 3 as label K
    C    channels of the feature pyramid
    k    bins along each side of a pooled RoI, 7
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, cat

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Depth of a ResNet → number of blocks in each of its four layers."""

BOX = 4
"""Numbers that describe a box."""


def unchanged(tensor: Tensor) -> Tensor:
    """The tensor as it is."""
    return tensor


@dataclass(frozen=True)
class Destination:
    """Where a tensor of a released checkpoint goes.

    Args:
        name: Its name here.
        shape: The shape that it has in the released file.
        change: How its rows are ordered anew.
    """

    name: str
    shape: tuple[int, ...]
    change: Callable[[Tensor], Tensor] = unchanged


Layers = Iterator[tuple[str, Destination]]
"""Pairs of a name in the released file and where that tensor goes."""


@dataclass(frozen=True)
class Detector:
    """What kind of detector a released checkpoint holds.

    Args:
        has_tsd: Whether its heads are TSD's; otherwise it is a baseline.
        stages: Number of stages of a cascade, 0 for any other detector.
        has_masks: Whether there is a mask head.
        depth: Depth of the ResNet.
        classes: K.
    """

    has_tsd: bool
    stages: int
    has_masks: bool
    depth: int
    classes: int

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "Detector":
        """Tell from the names what detector it is, and from a bias how many classes it has.

        Raises:
            KeyError: If the tensors are those of no detector that has a class score.
        """
        stages = 0
        while any(name.startswith(f"bbox_head.{stages}.") for name in state):
            stages += 1
        first = "bbox_head.0." if stages else "bbox_head."
        has_tsd = any(name.startswith(f"{first}TSD_") for name in state)
        return cls(
            has_tsd=has_tsd,
            stages=stages,
            has_masks=any(name.startswith("mask_head.") for name in state),
            depth=_depth(state),
            classes=_shape(state, f"{first}{'TSD_' if has_tsd else ''}fc_cls.bias", 1)[0] - 1,
        )

    def __str__(self) -> str:
        kind = "Cascade" if self.stages else "Mask" if self.has_masks else "Faster"
        return (
            f"{kind} R-CNN {'with TSD' if self.has_tsd else 'without TSD'}, ResNet-{self.depth}, "
            f"{self.classes} classes"
        )

    def layers(self, state: Mapping[str, Tensor]) -> Layers:
        """Everything that a checkpoint of this detector has.

        Args:
            state: The checkpoint's tensors, by which the widths of the layers are known.

        Raises:
            KeyError: If a tensor is missing that a width is known by.
        """
        width = _shape(state, "backbone.conv1.weight", 4)[0]
        pyramid = _shape(state, "neck.lateral_convs.0.conv.weight", 4)[0]
        yield from _backbone(BLOCKS[self.depth], width)
        for level in range(4):
            inputs = width * 4 * 2**level
            yield from _conv(f"neck.lateral_convs.{level}.conv", (pyramid, inputs, 1, 1))
            yield from _conv(f"neck.fpn_convs.{level}.conv", (pyramid, pyramid, 3, 3))
        hidden = _shape(state, "rpn_head.rpn_conv.weight", 4)[0]
        anchors = _shape(state, "rpn_head.rpn_cls.bias", 1)[0]
        yield from _conv("rpn_head.rpn_conv", (hidden, pyramid, 3, 3))
        yield from _conv("rpn_head.rpn_cls", (anchors, hidden, 1, 1))
        yield from _conv("rpn_head.rpn_reg", (anchors * BOX, hidden, 1, 1))
        for stage in range(self.stages) if self.stages else [None]:
            released = "bbox_head" if stage is None else f"bbox_head.{stage}"
            if self.has_tsd:
                ours = "roi_head" if stage is None else f"roi_head.stages.{stage}"
                yield from self._tsd_head(released, ours, state, pyramid)
            else:
                yield from self._usual_head(released, f"roi_head.{released}", state)
        if self.has_masks:
            yield from self._mask_head(state, pyramid)

    def _tsd_head(
        self, released: str, ours: str, state: Mapping[str, Tensor], pyramid: int
    ) -> Layers:
        hidden, flat = _shape(state, f"{released}.shared_fc.0.weight", 2)
        derived, bins = f"{ours}.derived_proposals", flat // pyramid
        square = (hidden, hidden)
        yield from _linear(f"{released}.shared_fc.0", f"{derived}.shared_layer.1", (hidden, flat))
        yield from _linear(f"{released}.delta_c.0", f"{derived}.cls_layers.0", square)
        yield from _linear(
            f"{released}.delta_c.2", f"{derived}.cls_layers.2", (2 * bins, hidden), planes_to_pairs
        )
        yield from _linear(f"{released}.delta_r.0", f"{derived}.reg_layers.0", square)
        yield from _linear(f"{released}.delta_r.2", f"{derived}.reg_layers.2", (2, hidden))

        width = _shape(state, f"{released}.TSD_fc_cls.weight", 2)[1]
        for task in ("cls", "reg"):
            trunk = f"{released}.TSD_p{task[0]}_fcs"
            yield from _linear(f"{trunk}.0", f"{ours}.bbox_head.{task}_fcs.0", (width, flat))
            yield from _linear(f"{trunk}.1", f"{ours}.bbox_head.{task}_fcs.1", (width, width))
        yield from _linear(
            f"{released}.TSD_fc_cls",
            f"{ours}.bbox_head.fc_cls",
            (self.classes + 1, width),
            background_last,
        )
        yield from _linear(
            f"{released}.TSD_fc_reg",
            f"{ours}.bbox_head.fc_reg",
            (BOX * (self.classes + 1), width),
            # Between the stages of a cascade the background's box is used.
            background_box_last if self.stages else without_background_box,
        )
        yield from self._usual_head(released, f"{ours}.sibling_head", state)

    def _usual_head(self, released: str, ours: str, state: Mapping[str, Tensor]) -> Layers:
        width, flat = _shape(state, f"{released}.shared_fcs.0.weight", 2)
        yield from _linear(f"{released}.shared_fcs.0", f"{ours}.shared_fcs.0", (width, flat))
        yield from _linear(f"{released}.shared_fcs.1", f"{ours}.shared_fcs.1", (width, width))
        yield from _linear(
            f"{released}.fc_cls", f"{ours}.fc_cls", (self.classes + 1, width), background_last
        )
        is_agnostic = _shape(state, f"{released}.fc_reg.bias", 1) == (BOX,) and not self.has_tsd
        yield from _linear(
            f"{released}.fc_reg",
            f"{ours}.fc_reg",
            (BOX if is_agnostic else BOX * (self.classes + 1), width),
            unchanged if is_agnostic else without_background_box,
        )

    def _mask_head(self, state: Mapping[str, Tensor], pyramid: int) -> Layers:
        width = _shape(state, "mask_head.convs.0.conv.weight", 4)[0]
        for index in range(4):
            inputs = width if index else pyramid
            name = f"mask_head.convs.{index}.conv"
            yield from _conv(name, (width, inputs, 3, 3), f"roi_head.{name}")
        upsampled = _shape(state, "mask_head.upsample.weight", 4)[1]
        name = "mask_head.upsample"  # transposed, so that inputs come first
        yield f"{name}.weight", Destination(f"roi_head.{name}.weight", (width, upsampled, 2, 2))
        yield f"{name}.bias", Destination(f"roi_head.{name}.bias", (upsampled,))
        yield from _conv(
            "mask_head.conv_logits",
            (self.classes + 1, upsampled, 1, 1),
            "roi_head.mask_head.conv_logits",
            without_background_mask,
        )


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of a tensor that widths are known by.

    Raises:
        KeyError: If there is no such tensor of so many dimensions.
    """
    shape = tuple(state[name].shape)
    if len(shape) != dimensions:
        raise KeyError(f"{name} of {dimensions} dimensions")
    return shape


def _depth(state: Mapping[str, Tensor]) -> int:
    """Depth of the shallowest ResNet that has as many blocks in each layer, or of the deepest."""
    found = [0] * 4
    for name in state:
        part = name.removeprefix("backbone.layer").split(".")
        if name.startswith("backbone.layer") and part[0] in "1234" and part[1].isdecimal():
            layer = int(part[0]) - 1
            found[layer] = max(found[layer], int(part[1]) + 1)
    for depth, blocks in BLOCKS.items():
        if all(there <= wanted for there, wanted in zip(found, blocks, strict=True)):
            return depth
    return max(BLOCKS)


def _backbone(blocks: tuple[int, ...], width: int) -> Layers:
    yield from _conv("backbone.conv1", (width, 3, 7, 7), has_bias=False)
    yield from _norm("backbone.bn1", width)
    inputs = width
    for layer, count in enumerate(blocks):
        inner = width * 2**layer
        for block in range(count):
            place = f"backbone.layer{layer + 1}.{block}"
            shapes = [(inner, inputs, 1, 1), (inner, inner, 3, 3), (inner * 4, inner, 1, 1)]
            for index, shape in enumerate(shapes, start=1):
                yield from _conv(f"{place}.conv{index}", shape, has_bias=False)
                yield from _norm(f"{place}.bn{index}", shape[0])
            if block == 0:
                shape = (inner * 4, inputs, 1, 1)
                yield from _conv(f"{place}.downsample.0", shape, has_bias=False)
                yield from _norm(f"{place}.downsample.1", shape[0])
            inputs = inner * 4


def _norm(name: str, width: int) -> Layers:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", Destination(f"{name}.{part}", (width,))
    yield f"{name}.num_batches_tracked", Destination(f"{name}.num_batches_tracked", ())


def _conv(
    released: str,
    shape: tuple[int, ...],
    ours: str | None = None,
    change: Callable[[Tensor], Tensor] = unchanged,
    has_bias: bool = True,
) -> Layers:
    ours = ours or released
    yield f"{released}.weight", Destination(f"{ours}.weight", shape, change)
    if has_bias:
        yield f"{released}.bias", Destination(f"{ours}.bias", shape[:1], change)


def _linear(
    released: str,
    ours: str,
    shape: tuple[int, int],
    change: Callable[[Tensor], Tensor] = unchanged,
) -> Layers:
    return _conv(released, shape, ours, change)


def planes_to_pairs(rows: Tensor) -> Tensor:
    """From all x, then all y, of the k × k bins to x and y of each bin, bins row by row."""
    return rows.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)


def background_last(rows: Tensor) -> Tensor:
    """From scores whose first is the background's to scores whose last is."""
    return cat([rows[1:], rows[:1]])


def without_background_box(rows: Tensor) -> Tensor:
    """Drop the box of the background, which comes first and which nothing reads."""
    return rows[BOX:]


def background_box_last(rows: Tensor) -> Tensor:
    """Put the box of the background behind those of the classes."""
    return cat([rows[BOX:], rows[:BOX]])


def without_background_mask(rows: Tensor) -> Tensor:
    """Drop the mask of the background, which comes first and which nothing reads."""
    return rows[1:]
