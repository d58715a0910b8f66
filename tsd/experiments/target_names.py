"""Names by which tables, figures and runs are asked for: each may mean one thing only.

A table or figure is a target of the workflow by its id, a run has a folder by its id, and
``only=…`` names all three. Two of them with one id would be taken for each other.
"""

from collections.abc import Iterable, Mapping

from tsd.experiments.reading import DeclarationError
from tsd.experiments.schema import Figure, Run, Table

RULES = frozenset(
    {
        "attempt",
        "check_data",
        "check_run",
        "coco2014_minival",
        "coco2017",
        "coco2017_testdev",
        "coco2017_val",
        "collect",
        "collect_part",
        "detect",
        "divide_coco2014",
        "download",
        "evaluate",
        "extract",
        "figure",
        "gains_figure",
        "latency",
        "look",
        "make_data",
        "milestones",
        "open_tracking",
        "report",
        "retrack",
        "sample_figure",
        "submissions",
        "submit",
        "table",
        "track",
        "track_milestones",
        "track_summaries",
        "train",
        "unknown_target",
    }
)
"""Names of the workflow's own rules, beside which a table or figure would be a rule too."""

FIGURES = frozenset({"gains", "samples"})
"""Figures that every report has, whatever is declared."""

FOLDERS = frozenset({"datasets", "logs", "looks", "summaries", "tracking-store"})
"""What lies beside the folders of runs in the folder of a grid's results."""

_ALL = "all"
"""What is asked for by this word is all that is declared."""


def check_target_names(
    tables: Mapping[str, Table], figures: Mapping[str, Figure], runs: Mapping[str, Run]
) -> None:
    """See that the id of each table, figure and run means nothing else.

    Args:
        tables: All tables, by id.
        figures: All figures, by id.
        runs: All runs, by id.

    Raises:
        DeclarationError: An id is taken. Names both declarations, and the remedy.
    """
    origins: dict[str, str] = {}
    kinds: Iterable[tuple[str, Mapping[str, Table | Figure | Run], frozenset[str]]] = (
        ("table", tables, RULES | FIGURES),
        ("figure", figures, RULES | FIGURES),
        ("run", runs, FOLDERS),
    )
    for noun, declared, reserved in kinds:
        for name, one in declared.items():
            where = f"{one.origin}: key id"
            if name in reserved or name == _ALL:
                raise DeclarationError(
                    f"{where}: {name!r} is a name that the workflow has for something of its own; "
                    f"give the {noun} another id"
                )
            if name in origins:
                raise DeclarationError(
                    f"{where}: {name!r} is the id of {origins[name]} too, so that `only={name}` "
                    f"could mean either; give the {noun} another id"
                )
            origins[name] = f"the {noun} in {one.origin}"
