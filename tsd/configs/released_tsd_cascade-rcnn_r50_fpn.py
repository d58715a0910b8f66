"""Cascade R-CNN with TSD as the authors' released weights need it at inference.

Each class has boxes of its own, and so has the background, which refines boxes between the stages.

Run:      snakemake --config scale=released checkpoint=released_cascade_r50=c.pth -- released
Cost:     inference over the 5,000 images of val2017
Expected: AP 42.0 on val2017, 42.9 with ResNet-101 (the authors' README)
"""

_base_ = "./tsd_cascade-rcnn_r50_fpn.py"
# Under this name mmengine puts what the base file says.
*loaded, packed = _base_.test_dataloader.dataset.pipeline  # type: ignore[attr-defined]
stages = _base_.model.roi_head.bbox_head  # type: ignore[attr-defined]

model = dict(
    backbone=dict(norm_cfg=dict(type="BN"), norm_eval=True),
    rpn_head=dict(
        anchor_generator=dict(type="ReleasedAnchorGenerator"),
        bbox_coder=dict(type="ReleasedBoxCoder"),
    ),
    roi_head=dict(
        type="ReleasedTSDCascadeRoIHead",
        bbox_roi_extractor=dict(type="ReleasedRoIPooling"),
        bbox_head=[
            dict(stage, type="ReleasedCascadeBBoxHead", reg_class_agnostic=False)
            for stage in stages
        ],
    ),
    test_cfg=dict(rpn=dict(min_bbox_size=-1), rcnn=dict(score_thr=0.0)),
)
del stages

test_dataloader = dict(
    dataset=dict(pipeline=[*loaded, dict(packed, meta_keys=(*packed["meta_keys"], "scale"))])
)
del loaded, packed
