"""The method. Importing this package registers its classes with mmdet.

An mmdet config does so by ``custom_imports = dict(imports=["tsd.models"])``.
"""

from tsd.models.bbox_head import TSDBBoxHead
from tsd.models.cascade_roi_head import TSDCascadeRoIHead
from tsd.models.derived_proposals import DerivedProposals
from tsd.models.lean_assigner import LeanMaxIoUAssigner
from tsd.models.lean_box_coder import LeanDeltaXYWHBBoxCoder
from tsd.models.lean_box_losses import LeanShared2FCBBoxHead
from tsd.models.lean_rpn_head import LeanRPNHead
from tsd.models.lean_sampler import LeanRandomSampler
from tsd.models.pooling import DeformableRoIPooling
from tsd.models.released_anchors import ReleasedAnchorGenerator
from tsd.models.released_box_coder import ReleasedBoxCoder
from tsd.models.released_cascade import ReleasedCascadeBBoxHead, ReleasedTSDCascadeRoIHead
from tsd.models.released_pooling import ReleasedRoIPooling
from tsd.models.released_rescaling import (
    ReleasedFCNMaskHead,
    ReleasedShared2FCBBoxHead,
    ReleasedTSDBBoxHead,
)
from tsd.models.residual_start import ResidualStart
from tsd.models.roi_head import TSDRoIHead
from tsd.models.senet import SENet154
from tsd.models.split_detector import SplitFasterRCNN, SplitRoIHead

__all__ = [
    "DeformableRoIPooling",
    "DerivedProposals",
    "LeanDeltaXYWHBBoxCoder",
    "LeanMaxIoUAssigner",
    "LeanRPNHead",
    "LeanRandomSampler",
    "LeanShared2FCBBoxHead",
    "ReleasedAnchorGenerator",
    "ReleasedBoxCoder",
    "ReleasedCascadeBBoxHead",
    "ReleasedFCNMaskHead",
    "ReleasedRoIPooling",
    "ReleasedShared2FCBBoxHead",
    "ReleasedTSDBBoxHead",
    "ReleasedTSDCascadeRoIHead",
    "ResidualStart",
    "SENet154",
    "SplitFasterRCNN",
    "SplitRoIHead",
    "TSDBBoxHead",
    "TSDCascadeRoIHead",
    "TSDRoIHead",
]
