"""SENet154, the paper's best backbone, with or without deformable convolutions (Tables 6 and 8).

Letters
    B      number of images in a batch
    H, W   height and width of the images
    i      number of a stage, from 0
"""

from collections.abc import Sequence
from typing import Self

from mmcv.cnn import build_conv_layer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STAGES = 4


@MODELS.register_module()
class SENet154(BaseModule):
    """timm's SENet154 (``legacy_senet154``) as a backbone of mmdet.

    .. code-block:: none

        image ─▶ layer0: three 3×3 conv, pool0 ─▶ layer1 ─▶ layer2 ─▶ layer3 ─▶ layer4
        stride                                4        4         8        16        32
        channels                            128      256       512      1024      2048

    A bottleneck is a 1×1 convolution, a 3×3 convolution of 64 groups, a 1×1 convolution, and
    squeeze-and-excitation. Where ``stage_with_dcn`` says so, the 3×3 convolutions of a stage are
    replaced by mmcv's deformable ones with the same channels, groups, stride and padding. These
    keep the name ``conv2`` and the weights, so that a file of weights for the ordinary network
    fits. Their ``conv_offset``, which predicts the offsets, starts at zero. So with type ``DCN``
    the network starts as the ordinary one; with ``DCNv2`` the modulation starts at one half.

    Sources: Hu et al., "Squeeze-and-Excitation Networks"; Dai et al., "Deformable Convolutional
    Networks".

    Args:
        out_indices: The stages whose features are returned. 0 is ``layer1``, of stride 4.
        frozen_stages: Number of stages that do not train. 0 freezes the stem alone, -1 nothing.
        norm_cfg: ``dict(type="BN")`` or ``dict(type="SyncBN")``; None is the former. Its key
            ``requires_grad`` says whether scale and shift are trained, which they are without it.
        norm_eval: Whether the running statistics of batch normalisation stay as they are.
        dcn: Config of the deformable convolution, such as ``dict(type="DCN", deform_groups=1)``,
            or None for ordinary convolutions.
        stage_with_dcn: For each of the four stages, whether its convolutions are deformable.
        init_cfg: Such as ``dict(type="Pretrained", checkpoint=…)``. None leaves the random weights
            with which timm builds the network.

    Raises:
        ValueError: If a setting is not one of those above.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = True,
        dcn: dict | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # Imported here, because it takes a second, which no other model has to wait for.
        from timm.models.senet import legacy_senet154

        super().__init__(init_cfg)
        _check(out_indices, frozen_stages, norm_cfg, stage_with_dcn)
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval

        network = legacy_senet154()
        self.layer0, self.pool0 = network.layer0, network.pool0
        self.res_layers = [f"layer{stage + 1}" for stage in range(STAGES)]
        for name, with_dcn in zip(self.res_layers, stage_with_dcn, strict=True):
            layer = getattr(network, name)
            if dcn is not None and with_dcn:
                for block in layer:
                    block.conv2 = _deformable(block.conv2, dcn)
            self.add_module(name, layer)
        if norm_cfg is not None and norm_cfg["type"] == "SyncBN":
            nn.SyncBatchNorm.convert_sync_batchnorm(self)
        if norm_cfg is not None and not norm_cfg.get("requires_grad", True):
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.requires_grad_(False)
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of the stages that ``out_indices`` names.

        Args:
            x: Images, Tensor[B, 3, H, W]. Their sides are multiples of 32, as mmdet pads them.

        Returns:
            For each of these stages i a Tensor[B, 256 · 2^i, H / 2^(i + 2), W / 2^(i + 2)].
        """
        x = self.pool0(self.layer0(x))
        features = []
        for stage, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if stage in self.out_indices:
                features.append(x)
        return tuple(features)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and inference. Frozen parts stay in inference mode."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        for stage in range(self.frozen_stages + 1):
            layer = getattr(self, f"layer{stage}")
            layer.eval()
            layer.requires_grad_(False)


def _deformable(conv: nn.Conv2d, dcn: dict) -> nn.Module:
    """A deformable convolution that has the weights of an ordinary one, and offsets of zero."""
    options = {name: value for name, value in dcn.items() if name != "fallback_on_stride"}
    if dcn.get("fallback_on_stride"):
        raise ValueError("SENet154: dcn: fallback_on_stride cannot be true")
    deformable = build_conv_layer(
        options,
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        groups=conv.groups,
        bias=False,
    )
    deformable.weight = conv.weight
    return deformable


def _check(
    out_indices: Sequence[int],
    frozen_stages: int,
    norm_cfg: dict | None,
    stage_with_dcn: Sequence[bool],
) -> None:
    if norm_cfg is not None and not _is_usable(norm_cfg):
        raise ValueError(
            "SENet154: norm_cfg is of type BN or SyncBN, with requires_grad true or false if at "
            f"all, and no more, not {norm_cfg}"
        )
    if not set(out_indices) <= set(range(STAGES)):
        raise ValueError(f"SENet154: out_indices are among 0 … {STAGES - 1}, not {out_indices}")
    if not -1 <= frozen_stages <= STAGES:
        raise ValueError(f"SENet154: frozen_stages is among -1 … {STAGES}, not {frozen_stages}")
    if len(stage_with_dcn) != STAGES:
        raise ValueError(f"SENet154: stage_with_dcn has {STAGES} entries, not {stage_with_dcn}")


def _is_usable(norm_cfg: dict) -> bool:
    """Whether the network has such a normalisation."""
    others = {name: value for name, value in norm_cfg.items() if name != "requires_grad"}
    trains = norm_cfg.get("requires_grad", True)
    return others in ({"type": "BN"}, {"type": "SyncBN"}) and isinstance(trains, bool)
