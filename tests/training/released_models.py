"""Our models for released weights of any size."""

from mmdet.registry import MODELS
from mmengine.config import Config

import tsd.models  # noqa: F401 registers the method
from tests.training.released_state import FULL


def config_of(kind="released_tsd_faster", sizes=FULL, depth=50):
    """The config of a detector, made as small as the weights are."""
    config = Config.fromfile(f"tsd/configs/{kind}-rcnn_r50_fpn.py", import_custom_modules=False)
    base, pyramid, hidden, fc, classes = sizes.values()
    model = config.model
    model.backbone.update(depth=depth, base_channels=base, init_cfg=None, norm_cfg=dict(type="BN"))
    model.neck.update(in_channels=[4 * base * 2**i for i in range(4)], out_channels=pyramid)
    model.rpn_head.update(in_channels=pyramid, feat_channels=pyramid)
    head = model.roi_head
    head.bbox_roi_extractor.out_channels = pyramid
    for stage in head.bbox_head if isinstance(head.bbox_head, list) else [head.bbox_head]:
        stage.update(in_channels=pyramid, fc_out_channels=fc, num_classes=classes)
    if "derived_proposals" in head:
        head.derived_proposals.hidden_channels = hidden
    if "mask_head" in head:
        head.mask_roi_extractor.out_channels = pyramid
        head.mask_head.update(in_channels=pyramid, conv_out_channels=pyramid, num_classes=classes)
    return config


def build(*args, **kwargs):
    return MODELS.build(config_of(*args, **kwargs).model).eval()
