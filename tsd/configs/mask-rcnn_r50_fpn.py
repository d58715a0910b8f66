"""Mask R-CNN, ResNet-50, FPN, trained as the Faster R-CNN is (Section 3.4).

The mask branch is mmdet's: 14 × 14 features, four convolutions, 28 × 28 masks.

Run:      snakemake --config scale=paper -- table7
Cost:     as the baseline, with a mask branch over the positive RoIs
Expected: box AP 37.2, mask AP 33.6 on minival (Table 7)
"""

_base_ = "./faster-rcnn_r50_fpn.py"

model = dict(
    type="MaskRCNN",
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        mask_roi_extractor=dict(
            type="DeformableRoIPooling",
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
            output_size=14,
            sampling_ratio=2,
            finest_scale=56,
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=80,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="LoadImageFromFile", backend_args=None),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="Resize", scale=(1333, 800), keep_ratio=True),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ]
    )
)
