"""A table as CSV, Markdown and LaTeX.

For the eye, a table is laid out in blocks, one for each metric: what is compared stands in one
column, and a table with many metrics grows longer, not wider. The CSV has a line for each row
and metric in full precision, with everything needed to trace the number.
"""

import itertools
import math
from pathlib import Path

import pandas

from tsd.experiments.schema import Table
from tsd.reporting import escaping, golden_values
from tsd.reporting.agreement import agreement_remarks
from tsd.reporting.cells import Cell, FilledRow, fill
from tsd.reporting.comparability import (
    data_remark,
    difference_remark,
    has_differences,
    networks_text,
    other_data_remark,
    runtime_remarks,
    same_training_remarks,
)
from tsd.reporting.image_noise import of_gain
from tsd.reporting.object_counts import data_of, object_remarks, objects_behind, size_of
from tsd.reporting.summary import provenance, scale_caveat, seed_caveat
from tsd.reporting.wording import (
    NOTHING,
    count,
    failures,
    gain_text,
    legend,
    measured_text,
    metric_title,
    printed,
    row_name,
    signed,
    width,
)
from tsd.results.collected import Results

WIDEST = 20
"""So many columns of numbers fit beside each other on a page."""

LONGEST = 36
"""So many lines of a LaTeX table fit below each other on a page, its caption left out."""

MEASURED, PAPER, DIFFERENCE, GAIN, PAPERS_GAIN = "Measured", "Paper", "Δ", "Gain", "Paper’s gain"
ELSEWHERE = "Elsewhere"


def number_heads(rows: list[FilledRow]) -> list[str]:
    """List the columns of numbers.

    There is none for differences where no two numbers may be compared, and none for others' numbers
    where nobody else has published any.

    Args:
        rows: The rows of the table.
    """
    difference = [DIFFERENCE] if has_differences(rows) else []
    elsewhere = [ELSEWHERE] if has_others(rows) else []
    return [MEASURED, PAPER, *elsewhere, *difference, GAIN, PAPERS_GAIN]


def has_others(rows: list[FilledRow]) -> bool:
    """Tell whether anybody but the paper has published numbers of a table's rows."""
    return any(cell.elsewhere for filled in rows for cell in filled.cells)


def elsewhere_text(results: Results, cell: Cell) -> str:
    """Write what others have published, each with its source."""
    decimals = results.metrics[cell.metric].decimals
    return "; ".join(
        f"{printed(value, decimals)} ({results.sources[source].title})"
        for source, value in cell.elsewhere.items()
    )


def sources_remarks(results: Results, rows: list[FilledRow]) -> list[str]:
    """Say of each source of others' numbers where they stand, and how its protocol differs."""
    named = {source: None for filled in rows for cell in filled.cells for source in cell.elsewhere}
    sources = (results.sources[name] for name in named)
    return [f"{source.title}: {source.where}. {source.note}" for source in sources]


def to_csv(results: Results, table: Table) -> str:
    """Write a line for each row and metric; an empty field is a missing value.

    ``seeds``, ``mlflow_run_ids`` and ``commits`` list, separated by spaces and in the same order,
    the trainings behind the mean; ``+dirty`` marks a training with uncommitted changes.
    """
    lines = []
    for position, filled in enumerate(fill(results, table), start=1):
        row = filled.row
        for cell in filled.cells:
            runs, commits = _sources(filled, cell)
            lines.append(
                {
                    "table": table.id,
                    "row": position,
                    "label": row.label,
                    **{head: row.attributes.get(head) for head in table.attributes},
                    "run": row.run,
                    "network": filled.run and filled.run.network,
                    "dataset": filled.run and filled.run.dataset,
                    "digest": filled.run and filled.run.digest,
                    "baseline": row.baseline,
                    "metric": cell.metric,
                    "unit": results.metrics[cell.metric].unit,
                    "objects": _objects(results, filled, cell),
                    "state": cell.measured.state.value,
                    "seeds_declared": cell.measured.declared,
                    "seeds": " ".join(map(str, cell.measured.values)),
                    "measured": cell.measured.mean,
                    "sd": cell.measured.sd,
                    "published": cell.published,
                    "elsewhere": elsewhere_text(results, cell) or None,
                    "difference": cell.difference,
                    "gain": cell.gain,
                    "gain_sd": cell.gain_sd,
                    "gain_images_sd": _images_sd(results, filled, cell),
                    "published_gain": cell.published_gain,
                    "mlflow_run_ids": runs,
                    "commits": commits,
                }
            )
    frame = pandas.DataFrame(lines).astype({"objects": "Int64"})
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def _images_sd(results: Results, filled: FilledRow, cell: Cell) -> float | None:
    """Return the standard error that the choice of images gives to a cell's gain."""
    noise = of_gain(results, filled.row, cell.metric) if cell.gain is not None else None
    return None if noise is None else noise.sd


def _objects(results: Results, filled: FilledRow, cell: Cell) -> int | None:
    """Count the objects that a cell's value rests on; None without a value."""
    if filled.run is None or not filled.run.is_shown:
        return None
    return objects_behind(results, filled.run.dataset, cell.metric)


def _sources(filled: FilledRow, cell: Cell) -> tuple[str, str]:
    """Return the MLflow run ids and the commits of the trainings behind a cell's mean."""
    if filled.run is None:
        return "", ""
    used = [filled.run.seeds[seed] for seed in cell.measured.values]
    tracked = [(one.tracking and one.tracking.run_id) or "untracked" for one in used]
    trained = [one.train for one in used if one.train is not None]
    commits = [(one.commit or "unknown") + "+dirty" * bool(one.dirty) for one in trained]
    return " ".join(tracked), " ".join(commits)


def to_markdown(results: Results, table: Table) -> str:
    """Write a block for each metric, the columns aligned for readers of the plain text too."""
    rows = fill(results, table)
    number = number_heads(rows)
    heads = ["Row", *table.attributes, "Run", "Network", *number]
    left = len(heads) - len(number)
    parts = [f"### {escaping.markdown(table.title)}", escaping.markdown(table.source)]
    for index, metric in enumerate(table.metrics):
        lines = [heads] + [
            _words(table, filled) + _numbers(results, filled, index, number) for filled in rows
        ]
        cells = [[escaping.markdown(word) for word in line] for line in lines]
        widths = [max(3, *map(width, column)) for column in zip(*cells, strict=True)]
        rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
        padded = [
            [
                _pad(word, w, right=i >= left)
                for i, (word, w) in enumerate(zip(line, widths, strict=True))
            ]
            for line in [cells[0], rule, *cells[1:]]
        ]
        title = f"**{escaping.markdown(metric_title(results.metrics[metric]))}**"
        objects = objects_behind(results, data_of(results, runs_of(table)), metric)
        parts.append(title + ("" if objects is None else f", of {count(objects, 'object')}"))
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in padded))
    parts.append(
        "\n".join(f"- {escaping.markdown(text)}" for text in _remarks(results, table, rows))
    )
    return "\n\n".join(parts) + "\n"


def _pad(word: str, columns: int, right: bool) -> str:
    """Fill a word up with spaces to a number of columns."""
    space = " " * (columns - width(word))
    return space + word if right else word + space


def to_latex(results: Results, table: Table) -> str:
    """Write ``table`` environments with a block for each metric, and the remarks below them.

    A table that is wider than the line is set smaller, so that it fits, and one that is longer than
    a page is continued in another environment. The packages booktabs, amssymb and graphicx are
    needed.
    """
    left = 1 + len(table.attributes)
    rows = fill(results, table)
    number = number_heads(rows)
    heads = ["", *table.attributes, *number]
    blocks: list[list[str]] = []
    for index, metric in enumerate(table.metrics):
        title = escaping.latex(metric_title(results.metrics[metric]))
        block = [rf"\midrule \multicolumn{{{len(heads)}}}{{l}}{{\emph{{{title}}}}} \\"]
        for filled in rows:
            words = _words(table, filled)[:left] + _numbers(results, filled, index, number)
            block.append(" & ".join(map(escaping.latex, words)) + r" \\")
        blocks.append(block)
    caption = f"{table.title} ({table.source}). {scale_caveat(results)}"
    columns = "l" * left + "r" * len(number)
    said = [networks_text(results, runs_of(table)), *_remarks(results, table, rows)]
    remarks = " ".join(_sentence(text) for text in said if text)
    lines = [f"% {provenance(results)}", r"% needs \usepackage{booktabs,amssymb,graphicx}"]
    for part, body in enumerate(_pages(blocks)):
        opening = (
            [rf"\caption{{{escaping.latex(caption)}}}", rf"\label{{tab:{table.id}}}"]
            if part == 0
            else [
                r"\addtocounter{table}{-1}",
                rf"\caption{{{escaping.latex(f'{table.title}, continued')}}}",
            ]
        )
        lines += [
            r"\begin{table}",
            r"\centering\small",
            *opening,
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(escaping.latex, heads)) + r" \\",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    return "\n".join([*lines, rf"{{\footnotesize\sloppy {escaping.latex(remarks)}\par}}", ""])


def _pages(blocks: list[list[str]]) -> list[list[str]]:
    """Join blocks of lines for as long as they fit on a page."""
    pages: list[list[str]] = [[]]
    for block in blocks:
        if pages[-1] and len(pages[-1]) + len(block) > LONGEST:
            pages.append([])
        pages[-1] += block
    return pages


def _sentence(text: str) -> str:
    """End a text with a full stop."""
    return text if text.endswith(".") else f"{text}."


def _words(table: Table, filled: FilledRow) -> list[str]:
    """Return label, attributes, run and network of a row."""
    attributes = [filled.row.attributes.get(head, "") for head in table.attributes]
    network = filled.run.network if filled.run and filled.run.is_shown else None
    return [filled.row.label, *attributes, filled.row.run or NOTHING, network or NOTHING]


def _numbers(results: Results, filled: FilledRow, index: int, heads: list[str]) -> list[str]:
    """Write the numbers of a row's cell that stand under some heads."""
    cell = filled.cells[index]
    decimals = results.metrics[cell.metric].decimals
    written = {
        MEASURED: measured_text(cell, decimals),
        PAPER: printed(cell.published, decimals),
        ELSEWHERE: elsewhere_text(results, cell) or NOTHING,
        DIFFERENCE: signed(cell.difference, decimals),
        GAIN: gain_text(cell, decimals),
        PAPERS_GAIN: signed(cell.published_gain, decimals),
    }
    return [written[head] for head in heads]


def _remarks(results: Results, table: Table, rows: list[FilledRow]) -> list[str]:
    """Return what has to be said under a table: caveats, notes, failures, legend."""
    said = [
        scale_caveat(results),
        seed_caveat(results),
        *what_is_measured(results, table, rows),
        *object_remarks(results, runs_of(table), table.metrics),
        *agreement_remarks(results, table, rows),
        *sources_remarks(results, rows),
        *notes(table, rows),
        *failure_reasons(rows),
        *legend(rows),
        f"Made from {provenance(results)}",
    ]
    return list(dict.fromkeys(said))


def what_is_measured(results: Results, table: Table, rows: list[FilledRow]) -> list[str]:
    """Say what of a table's labels and of the paper's numbers does not hold of what was measured.

    Args:
        results: What was collected.
        table: The table.
        rows: Its rows.
    """
    said = [
        data_remark(results, runs_of(table)),
        difference_remark(results, rows),
        other_data_remark(results, table),
        *same_training_remarks(results, table),
        *runtime_remarks(results, table),
        *golden_values.remarks(results, table),
    ]
    return [text for text in said if text]


def bands(results: Results, table: Table, columns: int) -> list[list[str]]:
    """Part the metrics of a table that is too wide for a page, each part to be shown by itself.

    Metrics of the same objects stay together: those of boxes, of masks, of one size of objects.

    Args:
        results: What was collected.
        table: The table.
        columns: How many columns a metric takes.
    """
    most = WIDEST // columns
    if len(table.metrics) <= most:
        return [table.metrics]

    def objects(name: str) -> tuple[bool, str]:
        return results.metrics[name].of_masks, size_of(results.metrics[name])

    found: list[list[str]] = [[]]
    for _, family in itertools.groupby(table.metrics, key=objects):
        alike = list(family)
        even = math.ceil(len(alike) / math.ceil(len(alike) / most))
        for start in range(0, len(alike), even):
            part = alike[start : start + even]
            if len(found[-1]) + len(part) > most:
                found.append([])
            found[-1] += part
    return found


def runs_of(table: Table) -> list[str | None]:
    """List the runs that fill the rows of a table."""
    return [row.run for row in table.rows]


def notes(table: Table, rows: list[FilledRow]) -> list[str]:
    """Return the notes of a table and, with the rows that share them, of its rows."""
    names: dict[str, list[str]] = {}
    for filled in rows:
        if filled.row.note:
            names.setdefault(filled.row.note, []).append(row_name(filled.row))
    own = [table.note] if table.note else []
    return own + [f"{', '.join(sharing)}: {note}" for note, sharing in names.items()]


def failure_reasons(rows: list[FilledRow]) -> list[str]:
    """Return why trainings behind a table failed or cannot be made, each once."""
    found = [f"{filled.row.run}, {text}" for filled in rows for text in failures(filled.run)]
    return list(dict.fromkeys(found))


def write_table(collected: Path, table_id: str, folder: Path) -> None:
    """Write ``{table_id}.csv``, ``.md`` and ``.tex``.

    Args:
        collected: The file with the results.
        table_id: One of its tables.
        folder: Where to; made if missing.

    Raises:
        KeyError: There is no such table.
    """
    results = Results.read(collected)
    write_table_of(results, results.table(table_id), folder)


def write_table_of(results: Results, table: Table, folder: Path) -> None:
    """Write a table of collected results, as :func:`write_table` does.

    Args:
        results: The collected results.
        table: The table.
        folder: Where to; made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
        (folder / f"{table.id}.{suffix}").write_text(text(results, table), encoding="utf-8")
