"""How a residual network starts where it has no pretrained weights."""

from mmcv.ops import DeformConv2d, DeformConv2dPack
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.models.backbones.trident_resnet import TridentConv
from mmengine.model import constant_init, kaiming_init
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@WEIGHT_INITIALIZERS.register_module()
class ResidualStart:
    """mmdet's start of a ResNet, for the networks that derive from it too.

    Convolutions by Kaiming, normalisation at one, but zero where a block ends, so that each block
    is the identity at first. Of mmdet's own, ``init_cfg=None``, derived networks get a part: it
    zeroes the ends of ``Bottleneck`` itself but not of a subclass (ResNeXt), gives deformable
    convolutions random offsets, and leaves the weight of ``TridentConv`` as the memory was.

    Source: He et al., "Delving Deep into Rectifiers"; Goyal et al., "Accurate, Large Minibatch
    SGD", Section 5.1, for the zeros; Dai et al., "Deformable Convolutional Networks", for offsets
    of zero.
    """

    def __call__(self, module: nn.Module) -> None:
        """Set the weights of a network, statistics of normalisation left alone."""
        module.apply(_set_layer)
        module.apply(_set_zeros)


def _set_layer(part: nn.Module) -> None:
    if isinstance(part, nn.Conv2d | DeformConv2d | TridentConv):
        kaiming_init(part)
    elif isinstance(part, _BatchNorm | nn.GroupNorm):
        constant_init(part, 1)


def _set_zeros(part: nn.Module) -> None:
    if isinstance(part, Bottleneck):
        constant_init(part.norm3, 0)
    elif isinstance(part, BasicBlock):
        constant_init(part.norm2, 0)
    elif isinstance(part, DeformConv2dPack):
        part.init_offset()
