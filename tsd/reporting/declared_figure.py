"""From a declared figure to its files: the picture of its kind, under a title, with a caption."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name

import matplotlib as mpl
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.experiments.figure_kinds import FIGURE_KINDS, extractions
from tsd.reporting.cells import run_state
from tsd.reporting.comparability import data_remark, networks_text, shown_runs
from tsd.reporting.drawing import INK, Drawing, message_picture, word
from tsd.reporting.object_counts import object_remarks
from tsd.reporting.summary import scale_caveat
from tsd.reporting.svg_rasters import with_light_rasters
from tsd.reporting.wording import commit_text, moment
from tsd.results.collected import Results
from tsd.results.records import RecordError
from tsd.run_folder import write_text

DPI = 160

MESSAGE_WIDTH = 90
"""Letters in a line of a picture that says why nothing is drawn."""


def draw_declared(collected: Path, figure_id: str, out: Path) -> None:
    """Draw one of the declared figures, and write its caption.

    Args:
        collected: The file with the collected results.
        figure_id: Id of the figure.
        out: Path of the figure; its suffix is replaced by ``.svg``, ``.pdf`` and ``.png``, and by
            ``.txt`` for the caption.

    Raises:
        KeyError: There is no such figure, or no such kind of figures.
        ResultsError: The results cannot be read.
    """
    results = Results.read(collected)
    draw_declared_of(results, results.figure(figure_id), out)


def draw_declared_of(results: Results, declared: schema.Figure, out: Path) -> None:
    """Draw a declared figure of collected results, as :func:`draw_declared` does.

    Args:
        results: The collected results.
        declared: The figure.
        out: As there.
    """
    results = only_runs(results, declared.runs)
    draw: Callable[[Results, schema.Figure], Drawing] = resolve_name(
        FIGURE_KINDS[declared.kind].draw
    )
    try:
        drawing = draw(results, declared)
    except RecordError as error:  # which is the matter of this figure alone
        text = textwrap.fill(str(error), MESSAGE_WIDTH)
        drawing = Drawing(message_picture(text), [f"It is not drawn: {error}."], {}, told=[])
    title_lines = [declared.title, ", ".join([f"grid {results.name}", *drawing.told])]
    drawing.picture.suptitle(
        "\n".join(title_lines), x=0.01, ha="left", fontsize=10.5, color=INK, parse_math=False
    )
    save(drawing.picture, out, caption(results, declared, drawing))


def only_runs(results: Results, names: Sequence[str]) -> Results:
    """Leave all other runs out of the results, so that caveats speak of these alone."""
    runs = {name: run for name, run in results.runs.items() if name in names}
    return results.model_copy(update={"runs": runs})


def caption(results: Results, declared: schema.Figure, drawing: Drawing) -> str:
    """Write a figure's caption: a line on what is to be seen, and a line on where it is from.

    Args:
        results: The collected results.
        declared: The figure.
        drawing: What is drawn of it.
    """
    seeds = {**drawing.seeds, **{run: [] for run in declared.runs if run not in drawing.seeds}}
    shown = [f"{declared.title} ({declared.source}).", *drawing.shown, declared.note or ""]
    behind = [
        f"Runs: {provenance(results, seeds)}.",
        networks_text(results, declared.runs),
        f"Data: {data_titles(results, declared.runs)}.",
        *object_remarks(results, declared.runs, metrics_in(declared)),
        scale_caveat(results),
        data_remark(results, declared.runs),
        f"Collected at {commit_text(results.commit, results.dirty)}, {moment(results.generated)}.",
    ]
    return "\n".join(
        " ".join(" ".join(sentence.split()) for sentence in sentences if sentence)
        for sentences in (shown, behind)
    )


def data_titles(results: Results, names: Sequence[str]) -> str:
    """Write the titles of the data sets that runs are trained on, or that of the grid."""
    used = [results.data[run.dataset].dataset for run in shown_runs(results, names).values()]
    return "; ".join(dict.fromkeys(one.title for one in used or [results.dataset]))


def metrics_in(declared: schema.Figure) -> list[str]:
    """List the metrics that a figure draws: none in kinds that draw what a network does."""
    return [] if declared.kind in extractions() else declared.metrics


def provenance(results: Results, seeds: Mapping[str, Sequence[int]]) -> str:
    """Name runs with the seeds that are drawn and the commits they were trained at.

    Args:
        results: The collected results.
        seeds: Id of a run → its drawn seeds. A run without any is named with its state.
    """
    alike: dict[str, list[str]] = {}
    for run, drawn in seeds.items():
        where = (
            _training_text(results, run, sorted(drawn)) if drawn else word(run_state(results, run))
        )
        alike.setdefault(where, []).append(run)
    return "; ".join(f"{', '.join(names)} ({where})" for where, names in alike.items())


def shows_trainings(caption: str) -> bool:
    """Tell by its caption whether any training is drawn in a figure.

    Args:
        caption: The text that :func:`caption` wrote, and that lies beside the figure.
    """
    return re.search(r"\(seeds? \d", caption) is not None


def _training_text(results: Results, run: str, seeds: Sequence[int]) -> str:
    """Name the seeds of a run, and the commits that they were trained at."""
    records = [results.runs[run].seeds[seed].train for seed in seeds]
    commits = [
        commit_text(one.commit, one.dirty) if one else commit_text(None, None) for one in records
    ]
    number = "seed" if len(seeds) == 1 else "seeds"
    return f"{number} {', '.join(map(str, seeds))}; {' and '.join(dict.fromkeys(commits))}"


def save(picture: Figure, out: Path, text: str) -> None:
    """Save a picture as SVG, PDF and PNG, and its caption as text.

    The same picture and caption give the same files, byte for byte.

    Args:
        picture: What was drawn.
        out: Its path; the suffix is replaced.
        text: The caption.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": out.stem, "hatch.linewidth": 0.6}):
        picture.savefig(out.with_suffix(".png"), dpi=DPI)
        picture.savefig(out.with_suffix(".svg"), dpi=DPI, metadata={"Date": None})
        picture.savefig(out.with_suffix(".pdf"), dpi=DPI, metadata={"CreationDate": None})
    svg = out.with_suffix(".svg")
    write_text(svg, with_light_rasters(svg.read_text(encoding="utf-8")))
    out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
