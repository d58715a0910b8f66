"""Mask R-CNN with TSD as the authors' released weights need it at inference.

Run:      snakemake --config scale=released checkpoint=released_mask_r50=mask.pth -- released
Cost:     inference over the 5,000 images of val2017
Expected: box AP 41.2, mask AP 35.8 on val2017 (the authors' README)
"""

_base_ = "./tsd_mask-rcnn_r50_fpn.py"
# Under this name mmengine puts what the base file says.
*loaded, packed = _base_.test_dataloader.dataset.pipeline  # type: ignore[attr-defined]

model = dict(
    backbone=dict(norm_cfg=dict(type="BN"), norm_eval=True),
    rpn_head=dict(
        anchor_generator=dict(type="ReleasedAnchorGenerator"),
        bbox_coder=dict(type="ReleasedBoxCoder"),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(type="ReleasedRoIPooling"),
        bbox_head=dict(type="ReleasedTSDBBoxHead"),
        mask_roi_extractor=dict(type="ReleasedRoIPooling"),
        mask_head=dict(type="ReleasedFCNMaskHead"),
    ),
    test_cfg=dict(rpn=dict(min_bbox_size=-1), rcnn=dict(score_thr=0.0)),
)

test_dataloader = dict(
    dataset=dict(pipeline=[*loaded, dict(packed, meta_keys=(*packed["meta_keys"], "scale"))])
)
del loaded, packed
