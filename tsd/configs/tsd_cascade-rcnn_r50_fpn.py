"""Cascade R-CNN with TSD, sibling head and progressive constraint in each of its stages.

Run:      snakemake --config scale=paper -- table_authors
Cost:     as the cascade's, with P̂_c and P̂_r pooled and a second head trained in each stage
Expected: AP 42.0 on minival, 42.9 with ResNet-101 (the authors' README)
"""

_base_ = "./cascade-rcnn_r50_fpn.py"
# Under this name mmengine puts what the base file says.
sibling_heads = _base_.model.roi_head.bbox_head  # type: ignore[attr-defined]

model = dict(
    roi_head=dict(
        type="TSDCascadeRoIHead",
        bbox_head=[dict(head, type="TSDBBoxHead") for head in sibling_heads],
        derived_proposals=dict(
            cls_manner="point-wise", reg_manner="proposal-wise", hidden_channels=256, gamma=0.1
        ),
        sibling_head=dict(),
        progressive_constraint=dict(m_c=0.2, m_r=0.2, clamp=True, detach=True, over_negatives=True),
        regression_reference="derived",
    ),
)
del sibling_heads
