"""Names of grids: two grids whose results or reports would lie in one folder are told apart.

A grid is named by joining the ids of its scale, its data set and its protocol with hyphens, and
leaving out what is the scale's own. Ids may have hyphens as well, and a data set may be called what
a protocol is called, so that two different grids can come to one name.
"""

import itertools
from dataclasses import replace

from tsd.experiments.grid import Grid
from tsd.experiments.reading import DeclarationError


def require_names_of_its_own(grid: Grid) -> None:
    """Refuse a grid if a declared scale, data set and protocol make another one of the same name.

    Raises:
        DeclarationError: If the results or the report of another grid would lie where those of
            this one do.
    """
    declared = grid.experiments
    scales = {**declared.scales, grid.scale.id: grid.scale}.values()
    datasets = {**declared.datasets, grid.dataset.id: grid.dataset}.values()
    protocols = dict(declared.protocols)
    if grid.protocol is not None:
        protocols[grid.protocol.id] = grid.protocol
    for scale, dataset in itertools.product(scales, datasets):
        other = replace(grid, scale=scale, dataset=dataset)
        if other.name == grid.name and _data(other) != _data(grid):
            raise _refusal(grid, other, f"results/{grid.name}")
        for protocol in protocols.values():
            other = replace(other, protocol=protocol)
            if other.report_name == grid.report_name and _all(other) != _all(grid):
                raise _refusal(grid, other, f"reports/{grid.report_name}")


def _data(grid: Grid) -> tuple[str, str]:
    return grid.scale.id, grid.dataset.id


def _all(grid: Grid) -> tuple[str, str, str | None]:
    return (*_data(grid), grid.protocol.id if grid.protocol else None)


def _refusal(grid: Grid, other: Grid, folder: str) -> DeclarationError:
    declared = grid.experiments
    of_the_user = [
        one.origin
        for one, known in (
            (grid.dataset, declared.datasets),
            (grid.scale, declared.scales),
            (grid.protocol, declared.protocols),
        )
        if one is not None and one.id not in known
    ]
    place = next(iter(of_the_user), grid.dataset.origin)
    return DeclarationError(
        f"{place}: key id: {folder} would belong to two grids: to {_words(grid)}, "
        f"and to {_words(other)}; give what is declared there another id"
    )


def _words(grid: Grid) -> str:
    protocol = f" by the protocol {grid.protocol.id}" if grid.protocol else ""
    return f"the scale {grid.scale.id} on the data set {grid.dataset.id}{protocol}"
