"""TSD's head as the released code computes it: slow, plain, and in the released convention.

It takes the weights of a released checkpoint as they are. A box (x1, y1, x2, y2) ends with its last
pixel, so that its width is x2 - x1 + 1; label 0 is the background; the 98 outputs of ΔC are two
planes, all x and then all y.
"""

import math

import numpy as np

from tests.models.reference_released_pooling import pool_derived, pool_shared

GAMMA = 0.1


class ReleasedHead:
    """A head, ``bbox_head`` of Faster R-CNN or ``bbox_head.S`` of a cascade.

    Args:
        state: The tensors of a released checkpoint.
        prefix: Of the head's tensors.
        strides: Of the pyramid.
        stds: Deviations of the deltas.
    """

    def __init__(self, state, prefix, strides, stds=(0.1, 0.1, 0.2, 0.2)):
        self.weights = {name: tensor.double().numpy() for name, tensor in state.items()}
        self.prefix, self.strides, self.stds = prefix, strides, stds

    def layer(self, name, x):
        weight = self.weights[f"{self.prefix}.{name}.weight"]
        return x @ weight.T + self.weights[f"{self.prefix}.{name}.bias"]

    def hidden(self, name, x):
        return np.maximum(self.layer(name, x), 0)

    def __call__(self, features, rois):
        """Logits [N, K + 1], boxes of each label [N, K + 1, 4] and the offsets [N, 2].

        Args:
            features: Maps [B, C, H, W].
            rois: [N, 5].
        """
        shared = pool_shared(features, rois, self.strides, 7)
        first = self.hidden("shared_fc.0", shared.reshape(len(rois), -1))
        delta_c = self.layer("delta_c.2", self.hidden("delta_c.0", first)).reshape(-1, 2, 7, 7)
        delta_r = self.layer("delta_r.2", self.hidden("delta_r.0", first))
        for_cls = pool_derived(features, rois, delta_c, self.strides)
        over_bins = np.broadcast_to(delta_r[:, :, None, None], delta_c.shape)
        for_reg = pool_derived(features, rois, over_bins, self.strides)

        cls = self.hidden("TSD_pc_fcs.0", for_cls.reshape(len(rois), -1))
        logits = self.layer("TSD_fc_cls", self.hidden("TSD_pc_fcs.1", cls))
        reg = self.hidden("TSD_pr_fcs.0", for_reg.reshape(len(rois), -1))
        deltas = self.layer("TSD_fc_reg", self.hidden("TSD_pr_fcs.1", reg))
        boxes = np.zeros((len(rois), logits.shape[1], 4))
        for n, label in np.ndindex(boxes.shape[:2]):
            boxes[n, label] = self.decode(
                rois[n, 1:], delta_r[n], deltas[n, 4 * label : 4 * label + 4]
            )
        return logits, boxes, delta_r

    def decode(self, box, delta_r, deltas):
        """A box from the derived proposal, which is the proposal moved by ΔR."""
        x1, y1, x2, y2 = box
        width, height = x2 - x1 + 1, y2 - y1 + 1
        x = (x1 + x2) / 2 + GAMMA * delta_r[0] * width
        y = (y1 + y2) / 2 + GAMMA * delta_r[1] * height
        dx, dy, dw, dh = deltas * np.array(self.stds)
        bound = math.log(1000 / 16)
        x, y = x + width * dx, y + height * dy
        width *= math.exp(min(max(dw, -bound), bound))
        height *= math.exp(min(max(dh, -bound), bound))
        return (
            x - width / 2 + 0.5,
            y - height / 2 + 0.5,
            x + width / 2 - 0.5,
            y + height / 2 - 0.5,
        )


def clip(boxes, height, width):
    """Into the image, each end by itself."""
    boxes = boxes.copy()
    boxes[..., 0::2] = boxes[..., 0::2].clip(0, width - 1)
    boxes[..., 1::2] = boxes[..., 1::2].clip(0, height - 1)
    return boxes


def as_written(boxes, factor):
    """The [x, y, width, height] in the original image that the released code writes to a file."""
    boxes = boxes / factor
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2] + 1], axis=-1)


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
