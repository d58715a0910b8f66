"""Faster R-CNN, ResNet-50, FPN: the paper's baseline under its schedule (Section 3.1).

Run:      snakemake --config scale=paper -- table1
Cost:     13 epochs of COCO 2017 at batch 32; see experiments/scales/paper.yaml
Expected: AP 36.1 on minival (Table 1); mmdet's own model zoo has 37.4 with a later code base
"""

_base_ = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
custom_imports = dict(imports=["tsd.models"], allow_failed_imports=False)

model = dict(
    backbone=dict(norm_cfg=dict(type="SyncBN"), norm_eval=False),
    roi_head=dict(
        bbox_roi_extractor=dict(
            _delete_=True,
            type="DeformableRoIPooling",
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
            output_size=7,
            sampling_ratio=2,
            finest_scale=56,
        ),
    ),
)

train_cfg = dict(max_epochs=13)
param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=1 / 32,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=13, milestones=[8, 11], gamma=0.1),
]
optim_wrapper = dict(optimizer=dict(lr=0.04), clip_grad=None)
auto_scale_lr = dict(enable=True, base_batch_size=32)

# Detections are dumped and evaluated by a step of their own, at 100 an image.
val_cfg = None
val_dataloader = None
val_evaluator = None

# What a server's images are seen with beside this: None, or scales and flip, as of
# test_time_augmentation. Nothing that is measured here depends on it.
submission_augmentation = None
