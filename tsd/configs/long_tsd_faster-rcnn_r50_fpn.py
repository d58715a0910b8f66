"""TSD under Grid R-CNN's schedule, for the comparison in Section 3.6 and Table 8.

"We extend the training epochs for ResNet-101 to be consistent with it": mmdet's Grid R-CNN, whose
2x schedule is 25 epochs, the rate falling at 17 and 23.

Run:      snakemake --config scale=paper only=r101_tsd_2x -- all
Cost:     25 epochs
Expected: AP 43.2 on test-dev with ResNet-101 (Table 8)
"""

_base_ = "./tsd_faster-rcnn_r50_fpn.py"

train_cfg = dict(max_epochs=25)
param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=1 / 32,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=25, milestones=[17, 23], gamma=0.1),
]
