"""A table as CSV, Markdown and LaTeX.

For the eye, a table is laid out in blocks, one for each metric: what is compared stands in one
column, and a table with many metrics grows longer, not wider. The CSV has a line for each row
and metric in full precision, with everything needed to trace the number.
"""

from pathlib import Path

import pandas

from tsd.experiments.schema import Table
from tsd.reporting import escaping
from tsd.reporting.cells import Cell, FilledRow, fill
from tsd.reporting.summary import provenance, scale_caveat, seed_caveat
from tsd.reporting.wording import (
    NOTHING,
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

NUMBER_HEADS = ["Measured", "Paper", "Δ", "Gain", "Paper’s gain"]


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
                    "digest": filled.run and filled.run.digest,
                    "baseline": row.baseline,
                    "metric": cell.metric,
                    "unit": results.metrics[cell.metric].unit,
                    "state": cell.measured.state.value,
                    "seeds_declared": cell.measured.declared,
                    "seeds": " ".join(map(str, cell.measured.values)),
                    "measured": cell.measured.mean,
                    "sd": cell.measured.sd,
                    "published": cell.published,
                    "difference": cell.difference,
                    "gain": cell.gain,
                    "gain_sd": cell.gain_sd,
                    "published_gain": cell.published_gain,
                    "mlflow_run_ids": runs,
                    "commits": commits,
                }
            )
    text: str = pandas.DataFrame(lines).to_csv(index=False, lineterminator="\n")
    return text


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
    heads = ["Row", *table.attributes, "Run", *NUMBER_HEADS]
    left = len(heads) - len(NUMBER_HEADS)
    parts = [f"### {escaping.markdown(table.title)}", escaping.markdown(table.source)]
    rows = fill(results, table)
    for index, metric in enumerate(table.metrics):
        lines = [heads] + [
            _words(table, filled) + _numbers(results, filled, index) for filled in rows
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
        parts.append(f"**{escaping.markdown(metric_title(results.metrics[metric]))}**")
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
    """Write a ``table`` environment with a block for each metric; needs booktabs and amssymb."""
    left = 1 + len(table.attributes)
    heads = ["", *table.attributes, *NUMBER_HEADS]
    rows = fill(results, table)
    body: list[str] = []
    for index, metric in enumerate(table.metrics):
        title = escaping.latex(metric_title(results.metrics[metric]))
        body.append(rf"\midrule \multicolumn{{{len(heads)}}}{{l}}{{\emph{{{title}}}}} \\")
        for filled in rows:
            words = _words(table, filled)[:left] + _numbers(results, filled, index)
            body.append(" & ".join(map(escaping.latex, words)) + r" \\")
    caption = f"{table.title} ({table.source}). {scale_caveat(results)}"
    remarks = " ".join(_sentence(text) for text in _remarks(results, table, rows))
    return "\n".join(
        [
            f"% {provenance(results)}",
            r"% needs \usepackage{booktabs,amssymb}",
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{escaping.latex(caption)}}}",
            rf"\label{{tab:{table.id}}}",
            rf"\begin{{tabular}}{{{'l' * left}{'r' * len(NUMBER_HEADS)}}}",
            r"\toprule",
            " & ".join(map(escaping.latex, heads)) + r" \\",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\footnotesize {escaping.latex(remarks)}",
            r"\end{table}",
            "",
        ]
    )


def _sentence(text: str) -> str:
    """End a text with a full stop."""
    return text if text.endswith(".") else f"{text}."


def _words(table: Table, filled: FilledRow) -> list[str]:
    """Return label, attributes and run of a row."""
    attributes = [filled.row.attributes.get(head, "") for head in table.attributes]
    return [filled.row.label, *attributes, filled.row.run or NOTHING]


def _numbers(results: Results, filled: FilledRow, index: int) -> list[str]:
    """Write the five numbers of a row's cell."""
    cell = filled.cells[index]
    decimals = results.metrics[cell.metric].decimals
    return [
        measured_text(cell, decimals),
        printed(cell.published, decimals),
        signed(cell.difference, decimals),
        gain_text(cell, decimals),
        signed(cell.published_gain, decimals),
    ]


def _remarks(results: Results, table: Table, rows: list[FilledRow]) -> list[str]:
    """Return what has to be said under a table: caveats, notes, failures, legend."""
    return [
        scale_caveat(results),
        seed_caveat(results),
        *notes(table, rows),
        *failure_reasons(rows),
        *legend(rows),
        f"Made from {provenance(results)}",
    ]


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
    table = results.table(table_id)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
        (folder / f"{table_id}.{suffix}").write_text(text(results, table), encoding="utf-8")
