"""TSD with joint sibling head and progressive constraint, ResNet-50, FPN (the full method).

Run:      snakemake --config scale=paper -- table3
Cost:     as the baseline, about 1.1 times its time at inference (Table 5)
Expected: AP 41.0 on minival (Table 3)
"""

_base_ = "./faster-rcnn_r50_fpn.py"

model = dict(
    roi_head=dict(
        type="TSDRoIHead",
        bbox_head=dict(type="TSDBBoxHead"),
        derived_proposals=dict(
            cls_manner="point-wise", reg_manner="proposal-wise", hidden_channels=256, gamma=0.1
        ),
        sibling_head=dict(),
        progressive_constraint=dict(m_c=0.2, m_r=0.2, clamp=True, detach=True, over_negatives=True),
        regression_reference="derived",
    ),
)
