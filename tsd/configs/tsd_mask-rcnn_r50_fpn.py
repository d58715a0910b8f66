"""Mask R-CNN with TSD, sibling head and progressive constraint on its detection branch.

The mask branch is the baseline's and reads the boxes that TSD detects (Section 3.4).

Run:      snakemake --config scale=paper -- table7
Cost:     as TSD's, with a mask branch over the positive RoIs
Expected: box AP 41.5, mask AP 35.8 on minival (Table 7)
"""

_base_ = "./mask-rcnn_r50_fpn.py"

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
