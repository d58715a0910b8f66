"""How the weights of a residual network start where there are no pretrained ones."""

from mmcv.ops import DeformConv2d, DeformConv2dPack
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.models.backbones.trident_resnet import TridentConv
from mmengine.model import constant_init, kaiming_init
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@WEIGHT_INITIALIZERS.register_module()
class ResidualStart:
    """An initialiser that starts ResNets, and networks derived from them, as mmdet starts a ResNet.

    Convolutions start by Kaiming's rule and the scales of normalisation at one, except the last
    normalisation of each block: it starts at zero, so that each block is the identity at first.

    mmdet starts a ResNet like this when ``init_cfg`` is None. Networks that derive from ResNet get
    only a part of it. The ends of blocks are zeroed in ``Bottleneck`` but not in its subclasses,
    which ResNeXt has. Deformable convolutions start with random offsets. And the weights of
    ``TridentConv`` are never set, so that they are whatever the memory held.

    Source: He et al., "Delving Deep into Rectifiers"; Goyal et al., "Accurate, Large Minibatch
    SGD", Section 5.1, for the zeros; Dai et al., "Deformable Convolutional Networks", for offsets
    of zero.
    """

    def __call__(self, module: nn.Module) -> None:
        """Set the weights of a network. The running statistics of normalisation stay."""
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
