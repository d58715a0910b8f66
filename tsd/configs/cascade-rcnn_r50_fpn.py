"""Cascade R-CNN, ResNet-50, FPN, trained as the Faster R-CNN is.

Cascade's own: three stages at IoU 0.5, 0.6 and 0.7, weighted 1, 1/2 and 1/4, with class-agnostic
boxes whose deltas are scaled by ever smaller deviations. What mmdet's Cascade R-CNN has besides, a
smooth L1 loss and 2,000 proposals to sample from, is left at the baseline's.

Run:      snakemake --config scale=paper -- table_authors
Cost:     as the baseline, with three heads of 512 RoIs an image
Expected: AP 41.8 on minival with ResNet-101 (the authors' README; none given for ResNet-50)
"""

_base_ = "./faster-rcnn_r50_fpn.py"
# Under this name mmengine puts what the base file says.
faster = _base_.model  # type: ignore[attr-defined]

model = dict(
    type="CascadeRCNN",
    roi_head=dict(
        _delete_=True,
        type="CascadeRoIHead",
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_roi_extractor=faster.roi_head.bbox_roi_extractor,
        bbox_head=[
            dict(
                faster.roi_head.bbox_head,
                reg_class_agnostic=True,
                bbox_coder=dict(
                    type="DeltaXYWHBBoxCoder",
                    target_means=[0.0, 0.0, 0.0, 0.0],
                    target_stds=[centre, centre, size, size],
                ),
            )
            for centre, size in ((0.1, 0.2), (0.05, 0.1), (0.033, 0.067))
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                faster.train_cfg.rcnn,
                assigner=dict(
                    faster.train_cfg.rcnn.assigner,
                    pos_iou_thr=iou,
                    neg_iou_thr=iou,
                    min_pos_iou=iou,
                ),
            )
            for iou in (0.5, 0.6, 0.7)
        ]
    ),
)
del faster
