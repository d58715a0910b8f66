"""From which runs the gains of a run are counted."""

from collections.abc import Iterable

from tsd.experiments.schema import Row, Table


def baselines_of(run: str, tables: Iterable[Table]) -> dict[str, tuple[Table, Row]]:
    """Each baseline of a run, with the row that counts a gain over it.

    The first baseline is the one that is meant where a gain is shown without saying from where it
    is counted: the one that most of the paper's tables count from. Its row is one of the paper's if
    there is any, and one that is about no protocol in particular.

    Args:
        run: Id of the run.
        tables: In the declared order.

    Returns:
        Id of the baseline → the table and its row.
    """
    found: dict[str, list[tuple[Table, Row]]] = {}
    for table in tables:
        for row in table.rows:
            if row.run == run and row.baseline not in (None, run):
                found.setdefault(str(row.baseline), []).append((table, row))
    papers = {name: sum(table.paper for table, _ in rows) for name, rows in found.items()}
    return {
        name: min(
            found[name], key=lambda place: (not place[0].paper, place[1].protocol is not None)
        )
        for name in sorted(found, key=lambda name: -papers[name])
    }
