"""TSD with bells and whistles, after TridentNet*: Table 8's starred rows (Section 3.6).

Multi-scale training and test, soft-NMS and the 3x schedule. The paper names these and gives no
numbers: five sides from 400 to 1,200 pixels, mirrored as well at test, are our choice.

Run:      snakemake --config scale=paper only=bells_r101_dcn_tsd -- all
Cost:     36 epochs at up to 1,200 pixels, ten forward passes an image at test
Expected: AP 49.4 on test-dev with ResNet-101-DCN (Table 8)
"""

_base_ = "./tsd_faster-rcnn_r50_fpn.py"

model = dict(
    test_cfg=dict(
        rcnn=dict(nms=dict(_delete_=True, type="soft_nms", iou_threshold=0.5, min_score=0.05))
    ),
)

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations", with_bbox=True),
            dict(
                type="RandomChoiceResize",
                scales=[(2000, side) for side in (400, 600, 800, 1000, 1200)],
                keep_ratio=True,
            ),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ]
    )
)

train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=1 / 32,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=36, milestones=[28, 34], gamma=0.1),
]

test_time_augmentation = dict(
    scales=[(2000, 400), (2000, 600), (2000, 800), (2000, 1000), (2000, 1200)], flip=True
)
