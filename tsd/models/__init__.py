"""The method, registered with mmdet: ``custom_imports = dict(imports=["tsd.models"])``."""

from tsd.models.bbox_head import TSDBBoxHead
from tsd.models.derived_proposals import DerivedProposals
from tsd.models.pooling import DeformableRoIPooling
from tsd.models.roi_head import TSDRoIHead

__all__ = ["DeformableRoIPooling", "DerivedProposals", "TSDBBoxHead", "TSDRoIHead"]
