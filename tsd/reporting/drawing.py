"""What the figures share: colours, the words on runs and data, and how they are saved."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.reporting.cells import Results, State, measure
from tsd.reporting.summary import scale_caveat
from tsd.reporting.wording import WORDS, commit_text, moment
from tsd.run_folder import RunFolder, read_json

OURS, PAPERS, INK, SOFT, RULES = "#0072b2", "#d55e00", "#22262b", "#5b636b", "#e4e7ea"
"""Okabe and Ito's blue and vermilion; shapes and dashes tell apart what colours do."""

DPI = 160


def figure_of(results: Results, figure_id: str) -> dict[str, Any]:
    """Return a declared figure by its id.

    Raises:
        KeyError: There is no such figure; the message names those there are.
    """
    figures = {figure["id"]: figure for figure in results["figures"]}
    if figure_id not in figures:
        raise KeyError(f"no figure {figure_id!r} among {', '.join(figures) or 'none'}")
    return figures[figure_id]


def only_of(results: Results, figure: dict[str, Any]) -> Results:
    """Leave out of the results the runs that a figure does not show."""
    shown = runs_of(figure)
    return {**results, "runs": {n: run for n, run in results["runs"].items() if n in shown}}


def runs_of(figure: dict[str, Any]) -> list[str]:
    """List the runs that a figure shows, in its order."""
    named = [
        [series["run"]] if series["run"] else list(series["points"].values())
        for series in figure["series"]
    ]
    return list(dict.fromkeys(run for runs in named for run in runs))


def extracted(results: Results, run: str, kind: str) -> tuple[str, dict[str, Any]] | None:
    """Read what was extracted from a trained run for figures of a kind.

    Args:
        results: The content of ``results.json``.
        run: Id of the run.
        kind: Of the figures.

    Returns:
        The first seed that has such a file, and its content; None where no seed has.
    """
    seeds = results["runs"].get(run, {"seeds": {}})["seeds"]
    for seed in sorted(seeds, key=int):
        folder = RunFolder(Path(seeds[seed]["folder"]))
        content = read_json(folder.extracted(kind))
        if content is not None:
            return seed, content
    return None


def word(state: State) -> str:
    """Write how far a run or a value has come."""
    return WORDS.get(state, state.value)


def absence(results: Results, run: str, found: Any = None) -> str:
    """Say why there is nothing to draw of a run.

    Args:
        results: The content of ``results.json``.
        run: Id of the run.
        found: What :func:`extracted` gave.
    """
    if found:
        return f"{run}: no annotated object to look at"
    state = measure(results, run, "AP").state
    if state in (State.DONE, State.PARTIAL, State.MISSING):
        return f"{run}: trained, but nothing was extracted\nfrom it for this figure"
    return f"{run}: {word(state)}"


def present(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what cannot be drawn: entries whose ``image`` is no longer where it was."""
    return [entry for entry in entries if Path(entry["image"]).is_file()]


def write_message(axes: Axes, text: str) -> None:
    """Write in the middle of empty axes why nothing is drawn there."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=10,
        color=INK,
        parse_math=False,
        bbox={"boxstyle": "square,pad=1.2", "fc": "#f6f7f9", "ec": SOFT, "ls": "--"},
    )


def write_title(figure: Figure, results: Results, title: str, *more: str) -> None:
    """Write a figure's title, and below it the grid and what else a reader has to know."""
    figure.suptitle(
        "\n".join([title, ", ".join([f"grid {results['grid']}", *more])]),
        x=0.01,
        ha="left",
        fontsize=10.5,
        color=INK,
        parse_math=False,
    )


def provenance(results: Results, runs: Mapping[str, Iterable[str]]) -> str:
    """Name runs with the seeds that are drawn and the commits they were trained at.

    Args:
        results: The content of ``results.json``.
        runs: Run → its drawn seeds; a run without any is named with its state.
    """
    alike: dict[str, list[str]] = {}
    for run, seeds in runs.items():
        drawn = sorted(seeds, key=int)
        if drawn:
            trained = [results["runs"][run]["seeds"][seed]["train"] or {} for seed in drawn]
            commits = {commit_text(one.get("commit"), one.get("dirty")): None for one in trained}
            number = "seed" if len(drawn) == 1 else "seeds"
            where = f"{number} {', '.join(drawn)}; {' and '.join(commits)}"
        else:
            where = word(measure(results, run, "AP").state)
        alike.setdefault(where, []).append(run)
    return "; ".join(f"{', '.join(names)} ({where})" for where, names in alike.items())


def measured_seeds(results: Results) -> Mapping[str, Iterable[str]]:
    """List each run's seeds with results."""
    return {
        name: [seed for seed, training in run["seeds"].items() if training["state"] == State.DONE]
        for name, run in results["runs"].items()
    }


def caption(
    results: Results,
    figure: dict[str, Any],
    shown: Iterable[str],
    runs: Mapping[str, Iterable[str]],
) -> str:
    """Write a figure's caption.

    Args:
        results: The content of ``results.json``.
        figure: Its declaration.
        shown: Sentences on what is to be seen, those that are empty left out.
        runs: Run → its drawn seeds.
    """
    missing = {run: () for run in runs_of(figure) if run not in runs}
    sentences = [
        f"{figure['title']} ({figure['source']}).",
        *shown,
        figure["note"] or "",
        f"Runs: {provenance(results, {**runs, **missing})}.",
        f"Data: {results['dataset']['title']}.",
        scale_caveat(results),
        f"Collected at {commit_text(results['commit'], results['dirty'])}, "
        f"{moment(results['generated'])}.",
    ]
    return " ".join(" ".join(sentence.split()) for sentence in sentences if sentence)


def save(figure: Figure, out: Path, text: str) -> None:
    """Save a figure as SVG, PDF and PNG, and its caption as text; the same input, the same files.

    Args:
        figure: What was drawn.
        out: Its path; the suffix is replaced by ``.svg``, ``.pdf``, ``.png`` and ``.txt``.
        text: Its caption.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": out.stem, "hatch.linewidth": 0.6}):
        figure.savefig(out.with_suffix(".png"), dpi=DPI)
        figure.savefig(out.with_suffix(".svg"), dpi=DPI, metadata={"Date": None})
        figure.savefig(out.with_suffix(".pdf"), dpi=DPI, metadata={"CreationDate": None})
    out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
