"""What was measured, on which data and with which network, and what the paper's numbers are of.

A row, a claim or a figure carries the paper's names. Whatever of them does not hold of the
trainings at hand is said here in sentences.
"""

from collections.abc import Iterable, Sequence

from tsd.experiments.schema import Table
from tsd.reporting.cells import FilledRow, training_id
from tsd.reporting.runtimes import Clock, clock_of, common_clock, is_of_runtimes
from tsd.reporting.wording import listed, listed_once
from tsd.results.collected import CollectedRun, Results


def shown_runs(results: Results, names: Iterable[str | None]) -> dict[str, CollectedRun]:
    """Pick the runs whose trainings are shown, each once.

    Args:
        results: What was collected.
        names: Ids of runs; those that were not collected, and None, are passed over.
    """
    known = {name: results.runs[name] for name in names if name in results.runs and name}
    return {name: run for name, run in known.items() if run.is_shown}


def data_name(results: Results, run: CollectedRun) -> str:
    """Write the name of the data set that a run is trained and evaluated on."""
    return f"“{results.data[run.dataset].dataset.name}”"


def papers_data_name(run: CollectedRun) -> str:
    """Write the name of the data set that the paper's numbers for a run are of."""
    return "the paper’s own data" if run.papers_data is None else f"“{run.papers_data}”"


def data_remark(results: Results, names: Iterable[str | None]) -> str:
    """Say on which data some runs were measured, if the paper's numbers are of others.

    Args:
        results: What was collected.
        names: Ids of the runs.

    Returns:
        A sentence; the empty text where there is nothing to say.
    """
    elsewhere = [run for run in shown_runs(results, names).values() if not run.is_on_papers_data]
    if not elsewhere:
        return ""
    here = listed_once(data_name(results, run) for run in elsewhere)
    papers = listed_once(papers_data_name(run) for run in elsewhere)
    return f"Measured values are of {here}, the paper’s of {papers}."


def difference_remark(results: Results, rows: Iterable[FilledRow]) -> str:
    """Say why a table has no column Δ, or leaves it empty in some rows.

    Args:
        results: What was collected.
        rows: The rows of the table.

    Returns:
        A sentence; the empty text where nothing is left out.
    """
    shown = [filled.run for filled in rows if filled.run is not None and filled.run.is_shown]
    apart = [run for run in shown if not run.is_comparable]
    if not apart:
        return ""
    causes = [] if results.scale.comparable else ["the scale is not the paper’s"]
    if not all(run.is_on_papers_data for run in apart):
        causes.append("the data are not the paper’s")
    return (
        f"Δ, which is measured minus paper, is left out because {' and '.join(causes)}: only the "
        "direction of a gain may be compared."
    )


def has_differences(rows: Iterable[FilledRow]) -> bool:
    """Tell whether a table has any row whose numbers may be set against the paper's."""
    return any(filled.run is not None and filled.run.is_comparable for filled in rows)


def other_data_remark(results: Results, table: Table) -> str:
    """Say which rows of a table have no numbers because their runs are about other data.

    Args:
        results: What was collected.
        table: The table.

    Returns:
        A sentence; the empty text where there are no such rows.
    """
    absent = [
        results.runs[row.run]
        for row in table.rows
        if row.run in results.runs and not results.runs[row.run].is_about_these_data
    ]
    if not absent:
        return ""
    papers = listed_once(papers_data_name(run) for run in absent)
    here = listed_once(data_name(results, run) for run in absent)
    return f"The rows marked “not on this data” are about {papers}, not about {here}."


def networks(results: Results, names: Iterable[str | None]) -> dict[str, list[str]]:
    """Group runs by the network that is trained.

    Args:
        results: What was collected.
        names: Ids of the runs.

    Returns:
        Name of a network → ids of the runs that train it. A run that nobody asked for is not
        compiled, and has no network.
    """
    groups: dict[str, list[str]] = {}
    for name, run in shown_runs(results, names).items():
        if run.network is not None:
            groups.setdefault(run.network, []).append(name)
    return groups


def networks_text(results: Results, names: Iterable[str | None]) -> str:
    """Say in a sentence which networks some runs train; the empty text for none.

    Args:
        results: What was collected.
        names: Ids of the runs.
    """
    groups = networks(results, names)
    if not groups:
        return ""
    if len(groups) == 1:
        return f"The network of every run is {next(iter(groups))}."
    described = "; ".join(f"{network} ({', '.join(runs)})" for network, runs in groups.items())
    return f"The networks are {described}."


def same_training_remarks(results: Results, table: Table) -> list[str]:
    """Say which rows of a table show one and the same training under several names.

    Args:
        results: What was collected.
        table: The table.
    """
    alike: dict[str, list[str]] = {}
    named = (name for row in table.rows for name in (row.run, row.baseline))
    for name in shown_runs(results, named):
        alike.setdefault(training_id(results, name), []).append(name)
    return [
        f"The runs {listed_once(names)} are one and the same training here, whose network stands "
        "for several of the paper’s; it counts once as evidence."
        for names in alike.values()
        if len(names) > 1
    ]


def runtime_remarks(results: Results, table: Table) -> list[str]:
    """Say on what the runtimes of a table were measured, and which of them are left out.

    Args:
        results: What was collected.
        table: The table.

    Returns:
        One sentence or several; none where the table has no runtimes or nobody wrote it down.
    """
    common = common_clock(results)
    if common is None or not any(is_of_runtimes(results, metric) for metric in table.metrics):
        return []
    others = _measured_elsewhere(results, table, common)
    if not others:
        return [f"Runtimes were measured on {common}."]
    return [
        f"Runtimes were measured on {common}. Left out are {listed(others)}, as times of several "
        "devices cannot be compared. To measure them here, delete the file latency.json in the "
        f"folders of these trainings, and call “snakemake --config scale={results.scale.id} -- "
        f"{table.id}”."
    ]


def _measured_elsewhere(results: Results, table: Table, common: Clock) -> Sequence[str]:
    """Name the trainings of a table's runs that were timed on something else, and on what."""
    runs = dict.fromkeys(row.run for row in table.rows if row.run in results.runs)
    return [
        f"{run} with seed {seed} ({clock})"
        for run in runs
        for seed, one in sorted(results.runs[run].seeds.items())
        if (clock := clock_of(one)) not in (None, common)
    ]
