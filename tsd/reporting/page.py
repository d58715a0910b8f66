"""The report's pages: one in HTML, one in Markdown, and the tables in plain text.

The HTML is one file without external resources. It carries its figures and the tables for download,
so that it can be moved or sent alone. Its one script adds the sorting of tables, and nothing else
needs it. All numbers in its prose are computed from the collected results.
"""

import json
import textwrap
import zipfile
from collections.abc import Collection
from pathlib import Path

import jinja2

from tsd.experiments.metrics import leading
from tsd.experiments.schema import Table
from tsd.reporting import (
    agreement,
    cards,
    cells,
    comparability,
    convergence,
    data_section,
    disagreements,
    effect_texts,
    embedding,
    escaping,
    expense,
    findings,
    golden_values,
    image_noise,
    ledger,
    new_images,
    object_counts,
    per_class,
    selection,
    summary,
    table_view,
    tables,
    verdict_texts,
    verdicts_by_look,
    wording,
)
from tsd.reporting.cells import Cell
from tsd.reporting.declared_figure import draw_declared_of, shows_trainings
from tsd.reporting.found_objects import detector_of
from tsd.reporting.gain_intervals import GainIntervals
from tsd.reporting.gains_figure import draw_gains_of
from tsd.reporting.provenance_file import reproduce_command
from tsd.reporting.sample_sheet import draw_samples
from tsd.results.collected import EXPLAINED, Results, State

PAGE, MARKDOWN = "index.html", "report.md"
"""Names of the pages."""

ARCHIVE = "report.zip"
"""Name of the file that holds what lies beside the page."""

TERMINAL = 100
"""Columns of the plain text."""


def write_parts(collected: Path, leave_out: Collection[str] = ()) -> None:
    """Write the tables and figures that the pages show or link to, beside the collected results.

    Args:
        collected: The file with the results.
        leave_out: Ids of tables and figures that are there already.
    """
    folder = collected.parent
    results = Results.read(collected)
    for table in results.tables:
        if table.id not in leave_out:
            tables.write_table_of(results, table, folder / "tables")
    for figure in results.figures:
        if figure.id not in leave_out:
            draw_declared_of(results, figure, folder / "figures" / figure.id)
    draw_gains_of(results, folder / "figures" / "gains.png")
    per_class.write_csv(results, folder)
    ledger.write_csv(results, folder)
    root, split = Path(results.dataset.root), results.dataset.val
    if (root / split.annotations).exists():
        draw_samples(
            root / split.annotations,
            root / split.images,
            folder / "figures" / "samples.png",
            detector=detector_of(results),
        )


def write_pages(collected: Path, is_published: bool = False) -> Path:
    """Store ``index.html`` and ``report.md``, the tables and figures being there already.

    Args:
        collected: The file with the results; the pages go beside it.
        is_published: Whether the pages are kept in the repository. Then they do not link to the
            trainings' folders, which only the machine has on which they were made, and there is no
            archive of what lies beside them.

    Returns:
        The path of the HTML page.
    """
    folder = collected.parent
    for name, text in render(collected, is_published).items():
        (folder / name).write_text(text, encoding="utf-8")
    if not is_published:
        write_archive(folder)
    return folder / PAGE


def render(collected: Path, is_published: bool, carries: bool = True) -> dict[str, str]:
    """Write the pages without storing them.

    Args:
        collected: The file with the results; captions of figures lie beside it.
        is_published: Whether the pages are kept in the repository, as for :func:`write_pages`.
        carries: Whether the HTML page carries its figures and the tables for download, which then
            lie beside the results.

    Returns:
        The file's name → its text.
    """
    folder = collected.parent
    results = selection.about(Results.read(collected))
    environment = _environment()
    shown = selection.tables(results)
    judged = verdicts_by_look.judge_by_look(results)
    captions = {
        path.stem: path.read_text(encoding="utf-8") for path in folder.glob("figures/*.txt")
    }
    content = {
        "results": results,
        "judged": judged,
        "differing": disagreements.disagreements(results),
        "captions": captions,
        "drawn": [one for one in selection.figures(results) if shows_trainings(captions[one.id])],
        "has_samples": (folder / "figures" / "samples.png").exists(),
        "states": summary.state_counts(results),
        "class_tables": per_class.class_tables(results),
        "gains": GainIntervals(results),
        "shown": shown,
        "filled": {table.id: cells.fill(results, table) for table in shown},
        "picture": lambda file: embedding.picture(folder / file) if carries else "",
        "downloads": lambda *files: embedding.downloads(folder, *files) if carries else [],
        "archive": None if is_published else ARCHIVE,
        "page_folder": None if is_published else folder,
        "cost": expense,
    }
    return {
        name: environment.get_template(f"report.{name.split('.')[1]}.j2").render(content)
        for name in (PAGE, MARKDOWN)
    }


def write_archive(folder: Path) -> None:
    """Pack what lies beside the page into one file, so that both together are the whole report.

    The same content gives the same archive.

    Args:
        folder: The folder of the page.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ARCHIVE)
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _environment() -> jinja2.Environment:
    """Return the templates' environment: what they may call, and HTML escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tsd.reporting"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        agreement=agreement,
        cards=cards,
        comparability=comparability,
        convergence=convergence,
        data_section=data_section,
        effect_texts=effect_texts,
        findings=findings,
        golden_values=golden_values,
        image_noise=image_noise,
        ledger=ledger,
        new_images=new_images,
        object_counts=object_counts,
        per_class=per_class,
        reproduce_command=reproduce_command,
        selection=selection,
        EXPLAINED=EXPLAINED,
        State=State,
        table_view=table_view,
        tables=tables,
        to_markdown=tables.to_markdown,
        verdict_texts=verdict_texts,
        verdicts_by_look=verdicts_by_look,
        summary=summary,
        wording=wording,
    )
    environment.filters.update(
        symbols=escaping.html,
        markdown=escaping.markdown,
        as_json=lambda value: json.dumps(value, ensure_ascii=False),
    )
    return environment


def headline(results: Results) -> str:
    """Write the leading metric of what was asked for as plain text, at most 100 columns wide.

    Args:
        results: The content of ``results.json``.
    """
    results = selection.about(results)
    caveats = [
        summary.scale_caveat(results),
        comparability.data_remark(results, results.runs),
        summary.seed_caveat(results),
        convergence.convergence_remark(results),
    ]
    lines = textwrap.wrap(" ".join(text for text in caveats if text), TERMINAL)
    for table in selection.each_run_once(results):
        metric = leading(table.metrics)
        index = table.metrics.index(metric)
        title = wording.metric_title(results.metrics[metric])
        lines += ["", _clip(f"{table.title} ({table.source})", TERMINAL)]
        lines += _networks(results, table)
        lines.append(_line("", title, "paper", "gain", "paper’s gain", "state"))
        for filled in cells.fill(results, table):
            cell = filled.cells[index]
            lines.append(_headline_row(wording.row_name(filled.row), cell, results))
            lines += [_clip(f"    {text}", TERMINAL) for text in wording.failures(filled.run)]
    left_out = selection.remark(results)
    return "\n".join([*lines, "", left_out] if left_out else lines)


def _networks(results: Results, table: Table) -> list[str]:
    """Write which networks fill a table."""
    text = comparability.networks_text(results, tables.runs_of(table))
    return textwrap.wrap(text, TERMINAL, initial_indent="  ", subsequent_indent="  ")


def _headline_row(name: str, cell: Cell, results: Results) -> str:
    """Write a row's line."""
    decimals = results.metrics[cell.metric].decimals
    mean = f"{wording.number(cell.measured.mean, decimals)}"
    return _line(
        f"  {name}",
        f"{mean} {wording.spread(cell.measured.sd, decimals)}".strip(),
        wording.printed(cell.published, decimals),
        wording.gain_text(cell, decimals),
        wording.signed(cell.published_gain, decimals),
        wording.state_word(cell),
    )


def _line(*words: str) -> str:
    """Set words in the columns of the plain text: 35, 12, 7, 13, 14 and 19 wide, 100 in all."""
    name, measured, *others, state = words
    columns = [f"{word:>{width}}" for word, width in zip(others, (7, 13, 14), strict=True)]
    space = " " * (35 - wording.width(_clip(name, 35)))
    return f"{_clip(name, 35)}{space}{measured:>12}{''.join(columns)}  {state}".rstrip()


def _clip(text: str, columns: int) -> str:
    """Cut a text that is too wide."""
    while wording.width(text) > columns:
        text = text[:-2] + "…"
    return text
