"""Which measured values of a table agree with the published ones, by the table's own tolerance."""

from tsd.experiments.schema import Table
from tsd.reporting.cells import FilledRow
from tsd.reporting.wording import metric_title, row_name, signed
from tsd.results.collected import Results


def agreement_remarks(results: Results, table: Table, rows: list[FilledRow]) -> list[str]:
    """Say how many values lie within a table's tolerance, and name those that do not.

    Args:
        results: What was collected.
        table: The table; one without a tolerance has no such remark.
        rows: Its rows.

    Returns:
        No remark or one. Values that may not be compared, or that have nothing published beside
        them, do not count.
    """
    if table.within is None:
        return []
    near, far = 0, []
    for filled in rows:
        for cell in filled.cells:
            if cell.difference is None:
                continue
            # A difference of decimal fractions is not exact in binary.
            if round(abs(cell.difference), 9) <= table.within:
                near += 1
                continue
            metric = results.metrics[cell.metric]
            difference = signed(cell.difference, max(metric.decimals, 2))
            far.append(f"{row_name(filled.row)}, {metric_title(metric)} ({difference})")
    if not near and not far:
        return []
    lie = "lies" if near == 1 else "lie"
    verdict = (
        f"Of {near + len(far)} measured values with a published one, {near} {lie} within "
        f"{table.within:g} of it: "
    )
    if not far:
        return [verdict + "the published numbers are confirmed."]
    return [verdict + f"the others are not confirmed, which are {'; '.join(far)}."]
