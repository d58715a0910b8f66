"""The grid that a user's settings name."""

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tsd.data.image_identity import look_again
from tsd.experiments.checkpoints import given_checkpoints, with_checkpoints
from tsd.experiments.checks import require
from tsd.experiments.claims_schema import Claim, load_claims
from tsd.experiments.golden import load_golden
from tsd.experiments.grid import Grid
from tsd.experiments.grid_names import require_names_of_its_own
from tsd.experiments.inconsistencies import Inconsistency, load_inconsistencies
from tsd.experiments.load import Experiments, load_experiments
from tsd.experiments.looks import require_decidable
from tsd.experiments.metrics import METRICS, Step
from tsd.experiments.reading import DeclarationError, suggest
from tsd.experiments.scale_schema import Scale

Entry = TypeVar("Entry", Claim, Inconsistency)

SETTINGS = ("scale", "dataset", "only", "seeds", "protocol", "checkpoint", "experiments")
"""What ``snakemake --config`` takes."""

BY_NEED = "auto"
"""The setting ``seeds`` may be this word in place of a number."""

MOST_SEEDS = 1000
"""The setting ``seeds`` is at most this number. To list the trainings of a grid with many times as
many takes minutes, and no question here needs them."""


def open_grid(settings: Mapping[str, Any], results: Path = Path("results")) -> Grid:
    """The grid that a user's settings name.

    Args:
        settings: ``scale``, id of a declared scale or a YAML file, mini by default; ``dataset``,
            likewise, for all runs, the scale's own by default; ``only``, ids of tables, figures,
            claims and runs with commas between them, or ``all``, the scale's own by default (a
            claim stands for what decides it); ``seeds``, how many (3: seeds 0, 1 and 2), at
            most ``MOST_SEEDS``, or ``auto`` for as many as the claims need
            (:mod:`tsd.experiments.looks`), the scale's own by default; ``protocol``, id of a
            declared protocol or a YAML file, the scale's own by default; ``checkpoint``, files of
            weights, as :func:`tsd.experiments.checkpoints.given_checkpoints` reads them;
            ``experiments``, folder of the declarations.
        results: Folder of the results.

    Raises:
        DeclarationError: On a setting or name that does not exist, or a faulty declaration.
    """
    look_again()
    for name in settings:
        if name not in SETTINGS:
            raise DeclarationError(f"unknown setting {name!r}" + suggest(name, SETTINGS))
    given = {name: str(value) for name, value in settings.items() if value not in (None, "")}
    folder = given.get("experiments", "experiments")
    experiments = load_experiments(Path(folder))
    scale = experiments.scale(given.get("scale", "mini"))
    checkpoints = given_checkpoints(given.get("checkpoint", ""), experiments)
    experiments = with_checkpoints(experiments, checkpoints)
    dataset = experiments.dataset(given.get("dataset", scale.dataset))
    for one in (dataset, *experiments.datasets.values()):
        if one.same_as is not None:
            place = f"{one.origin}: key same_as"
            require(place, "data set", one.same_as, experiments.datasets)
    options = [f"--experiments={folder}", f"--scale={given.get('scale', 'mini')}"]
    if "dataset" in given:
        options.append(f"--dataset={given['dataset']}")
    protocol = given.get("protocol", scale.protocol)
    if "protocol" in given:
        options.append(f"--protocol={given['protocol']}")
    if checkpoints:
        options.append(f"--checkpoint={given['checkpoint']}")
    target_options = list(options)
    by_need = given.get("seeds") == BY_NEED
    if "seeds" in given:
        if not by_need:
            scale = scale.model_copy(update={"seeds": list(range(_count(given["seeds"])))})
        target_options.append(f"--seeds={given['seeds']}")
    asked = [f"--only={given['only']}"] if "only" in given else []
    claims = _all(load_claims, Path(folder, "claims.yaml"), experiments)
    only = _own(scale, experiments)
    if "only" in given:
        only = _wanted(given["only"], experiments, claims)
    grid = Grid(
        experiments,
        claims=claims,
        inconsistencies=_all(
            load_inconsistencies, Path(folder, "inconsistencies.yaml"), experiments
        ),
        protocol=None if protocol is None else experiments.protocol(protocol),
        scale=scale,
        dataset=dataset,
        stands_in=scale.stands_in or "dataset" in given,
        only=only,
        results=results,
        command_line_options=tuple(options),
        target_options=tuple(target_options),
        report_options=(*target_options, *asked),
        checkpoints=checkpoints,
        seeds_by_need=by_need,
        is_named="only" in given,
    )
    require_names_of_its_own(grid)
    require_decidable(grid)
    return replace(grid, golden=load_golden(Path(folder), grid.name))


def _all(
    load: Callable[[Path, Experiments], Mapping[str, Entry]], path: Path, experiments: Experiments
) -> tuple[Entry, ...]:
    """What a file declares; nothing where there is no such file."""
    return tuple(load(path, experiments).values()) if path.is_file() else ()


def _own(scale: Scale, experiments: Experiments) -> tuple[str, ...] | None:
    """What a scale wants unless the user asks for something else, of what there is."""
    if scale.only is None:
        return None
    return tuple(name for name in scale.only if name in experiments.targets)


def _count(seeds: str) -> int:
    if not seeds.isdecimal() or not seeds.strip("0"):
        near = difflib.get_close_matches(seeds, [BY_NEED], cutoff=0.5)
        raise DeclarationError(
            f"setting seeds: {seeds!r} is not how many: 3 means the seeds 0, 1 and 2, and "
            f"{BY_NEED} as many as the claims need" + (suggest(seeds, [BY_NEED]) if near else "")
        )
    digits = seeds.lstrip("0")
    if len(digits) > len(str(MOST_SEEDS)) or int(digits) > MOST_SEEDS:
        raise DeclarationError(
            f"setting seeds: {seeds[:20]} is more than {MOST_SEEDS}, which is the most that can be "
            "asked for"
        )
    return int(seeds)


def _wanted(
    names: str, experiments: Experiments, claims: Sequence[Claim]
) -> tuple[str, ...] | None:
    """The tables, figures and runs that the setting ``only`` names; None for all."""
    if names == "all":
        return None
    by_id = {claim.id: claim for claim in claims}
    wanted: list[str] = []
    for name in filter(None, map(str.strip, names.split(","))):
        if name in by_id:
            wanted += _behind(by_id[name], experiments)
        elif name in experiments.targets:
            wanted.append(name)
        else:
            known = [*experiments.targets, *by_id]
            raise DeclarationError(f"setting only: unknown name {name!r}" + suggest(name, known))
    return tuple(dict.fromkeys(wanted))


def _behind(claim: Claim, experiments: Experiments) -> list[str]:
    """What decides a claim: its runs, and a table with their runtimes where it is about these."""
    if all(METRICS[name].step is not Step.LATENCY for name in claim.metrics):
        return claim.runs
    timed = (
        table.id
        for table in experiments.tables.values()
        if any(METRICS[name].step is Step.LATENCY for name in table.metrics)
        and {*claim.runs} <= {*experiments.runs_for(table.id)}
    )
    return [*itertools.islice(timed, 1), *claim.runs]
