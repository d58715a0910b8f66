"""Faster R-CNN whose two tasks part in the backbone, ResNet-50, FPN (Figure 3 (a)–(c)).

Run:      snakemake --config scale=paper -- table1
Cost:     as the baseline, with a second FPN and, from stride 16 or 8, second backbone stages
Expected: AP 22.3, 22.0 and 20.3 on minival, split at stride 8, 16 and 32 (Table 1)
"""

_base_ = "./faster-rcnn_r50_fpn.py"

model = dict(
    type="SplitFasterRCNN",
    split_at=32,
    rpn_pyramid="reg",
    roi_head=dict(type="SplitRoIHead", bbox_head=dict(type="TSDBBoxHead")),
)
