"""Random weights with the names and shapes that the authors' released code gives its detectors.

Written down from what modules of the released code were seen to have, and not from the converter.
"""

import torch

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
FULL = {"base": 64, "pyramid": 256, "hidden": 256, "fc": 1024, "classes": 80}
SMALL = {"base": 2, "pyramid": 6, "hidden": 10, "fc": 12, "classes": 5}


def released_state(
    depth=50, tsd=True, stages=0, masks=False, agnostic=False, sizes=SMALL, seed=0
) -> dict[str, torch.Tensor]:
    """Name in the released code → random tensor."""
    state, generator = {}, torch.Generator().manual_seed(seed)
    base, pyramid, hidden, fc, classes = sizes.values()

    def tensor(name, *shape):
        fan_in = torch.Size(shape[1:]).numel()
        state[name] = torch.randn(shape, generator=generator) / fan_in**0.5

    def layer(name, *shape, bias=True):
        tensor(f"{name}.weight", *shape)
        if bias:
            tensor(f"{name}.bias", shape[0])

    def norm(name, width):
        state[f"{name}.weight"] = torch.ones(width)
        state[f"{name}.bias"] = torch.zeros(width)
        state[f"{name}.running_mean"] = torch.zeros(width)
        state[f"{name}.running_var"] = torch.ones(width)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    layer("backbone.conv1", base, 3, 7, 7, bias=False)
    norm("backbone.bn1", base)
    inputs = base
    for number, blocks in enumerate(BLOCKS[depth]):
        inner = base * 2**number
        for block in range(blocks):
            place = f"backbone.layer{number + 1}.{block}"
            layer(f"{place}.conv1", inner, inputs, 1, 1, bias=False)
            norm(f"{place}.bn1", inner)
            layer(f"{place}.conv2", inner, inner, 3, 3, bias=False)
            norm(f"{place}.bn2", inner)
            layer(f"{place}.conv3", 4 * inner, inner, 1, 1, bias=False)
            norm(f"{place}.bn3", 4 * inner)
            if block == 0:
                layer(f"{place}.downsample.0", 4 * inner, inputs, 1, 1, bias=False)
                norm(f"{place}.downsample.1", 4 * inner)
            inputs = 4 * inner
    for level in range(4):
        layer(f"neck.lateral_convs.{level}.conv", pyramid, 4 * base * 2**level, 1, 1)
        layer(f"neck.fpn_convs.{level}.conv", pyramid, pyramid, 3, 3)
    layer("rpn_head.rpn_conv", pyramid, pyramid, 3, 3)
    layer("rpn_head.rpn_cls", 3, pyramid, 1, 1)
    layer("rpn_head.rpn_reg", 12, pyramid, 1, 1)
    boxes = 4 if agnostic else 4 * (classes + 1)
    for head in [f"bbox_head.{s}" for s in range(stages)] or ["bbox_head"]:
        layer(f"{head}.fc_cls", classes + 1, fc)
        layer(f"{head}.fc_reg", boxes, fc)
        layer(f"{head}.shared_fcs.0", fc, pyramid * 49)
        layer(f"{head}.shared_fcs.1", fc, fc)
        if tsd:
            layer(f"{head}.shared_fc.0", hidden, pyramid * 49)
            layer(f"{head}.delta_c.0", hidden, hidden)
            layer(f"{head}.delta_c.2", 98, hidden)
            layer(f"{head}.delta_r.0", hidden, hidden)
            layer(f"{head}.delta_r.2", 2, hidden)
            for trunk in ("TSD_pc_fcs", "TSD_pr_fcs"):
                layer(f"{head}.{trunk}.0", fc, pyramid * 49)
                layer(f"{head}.{trunk}.1", fc, fc)
            layer(f"{head}.TSD_fc_cls", classes + 1, fc)
            layer(f"{head}.TSD_fc_reg", 4 * (classes + 1), fc)
    if masks:
        for index in range(4):
            layer(f"mask_head.convs.{index}.conv", pyramid, pyramid, 3, 3)
        layer("mask_head.upsample", pyramid, pyramid, 2, 2)
        layer("mask_head.conv_logits", classes + 1, pyramid, 1, 1)
    return state
