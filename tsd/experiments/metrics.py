"""The metrics a table may show: one line each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """How a measured quantity is written.

    Args:
        id: Key in ``metrics.json`` and in the YAML of tables.
        title: Column head.
        unit: Of the value.
        decimals: Shown.
        higher_is_better: None where neither direction is meant.
    """

    id: str
    title: str
    unit: str
    decimals: int
    higher_is_better: bool | None


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        Metric("AP", "AP", "%", 1, True),
        Metric("AP50", "AP.5", "%", 1, True),
        Metric("AP75", "AP.75", "%", 1, True),
        Metric("APs", "AP s", "%", 1, True),
        Metric("APm", "AP m", "%", 1, True),
        Metric("APl", "AP l", "%", 1, True),
        Metric("params", "#param", "M", 1, None),
        Metric("mask_AP", "mask AP", "%", 1, True),
        Metric("mask_AP50", "mask AP.5", "%", 1, True),
        Metric("mask_AP75", "mask AP.75", "%", 1, True),
        Metric("lb_AP50", "AP.5 (LB)", "%", 1, True),
        Metric("runtime", "runtime", "ms", 1, False),
        *(
            Metric(f"AP{size[0]}@{iou}", f"AP {size} .{iou // 10}", "%", 1, True)
            for size in ("small", "medium", "large")
            for iou in (50, 60, 70, 80, 90)
        ),
    )
}
