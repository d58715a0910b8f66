"""Reading ``experiments/``: all declarations of a folder, checked against each other.

Every mistake is a :class:`DeclarationError` that names the file, the key and, where a name is
misspelt, the nearest valid one.
"""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tsd.experiments import figure_checks
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.figure_kinds import FIGURE_KINDS
from tsd.experiments.given_files import look_up, look_up_or_read
from tsd.experiments.metrics import METRICS
from tsd.experiments.protocol_schema import Decision, Protocol
from tsd.experiments.reading import (
    AnyDeclaration,
    DeclarationError,
    kind_of,
    read_yaml,
    suggest,
    validate,
)
from tsd.experiments.scale_schema import Scale, combined_bases, combined_length
from tsd.experiments.schema import Backbone, Figure, Run, Source, Table
from tsd.experiments.target_names import check_target_names

CONFIG_FOLDER = Path(__file__).parent.parent / "configs"

AnyScale = TypeVar("AnyScale", Scale, Protocol)
"""What may extend another of its kind."""

MMDET = "mmdet::"
"""What the name of a base in mmdet starts with, as in mmengine's configs."""


@dataclass(frozen=True)
class Experiments:
    """All declarations of a folder, by id."""

    runs: dict[str, Run]
    backbones: dict[str, Backbone]
    tables: dict[str, Table]
    figures: dict[str, Figure]
    scales: dict[str, Scale]
    datasets: dict[str, Dataset]
    protocols: dict[str, Protocol]
    decisions: dict[str, Decision]
    sources: dict[str, Source]

    def run(self, name: str) -> Run:
        """The run of that id, or a :class:`DeclarationError`."""
        return look_up(self.runs, name, "run")

    def table(self, name: str) -> Table:
        """The table of that id, or a :class:`DeclarationError`."""
        return look_up(self.tables, name, "table")

    def scale(self, name: str) -> Scale:
        """The scale of that id, or of that YAML file, or a :class:`DeclarationError`."""
        scale = look_up_or_read(self.scales, name, "scale", Scale)
        _check_scale(scale.origin, scale, self)
        if scale.extends is None:
            return scale
        below = self.scale(scale.extends)
        said = {key: getattr(scale, key) for key in scale.model_fields_set}
        combined = {
            **said,
            "extends": None,
            "comparable": scale.comparable,  # what differs from a comparable scale need not be one
            "set": {**below.set, **scale.set},
            "bases": combined_bases(below.bases, scale.bases),
            "length": combined_length(below, scale),
        }
        return below.model_copy(update=combined).with_origin(scale.origin)

    def protocol(self, name: str) -> Protocol:
        """The protocol of that id, or of that YAML file, or a :class:`DeclarationError`."""
        protocol = look_up_or_read(self.protocols, name, "protocol", Protocol)
        _check_protocol(protocol, self)
        if protocol.extends is None:
            return protocol
        below = self.protocol(protocol.extends)
        parts = {**below.parts, **protocol.parts}
        combined = protocol.model_copy(update={"extends": None, "parts": parts})
        return combined.with_origin(protocol.origin)

    def dataset(self, name: str) -> Dataset:
        """The data set of that id, or of that YAML file, or a :class:`DeclarationError`."""
        dataset = look_up_or_read(self.datasets, name, "data set", Dataset)
        _check_dataset(dataset, self)
        return dataset

    @property
    def targets(self) -> list[str]:
        """Ids of what can be asked for: tables, figures and runs."""
        return [*self.tables, *self.figures, *self.runs]

    def runs_for(self, target: str) -> list[str]:
        """Ids of the runs behind a table, a figure or a run, or a :class:`DeclarationError`."""
        if target in self.tables:
            rows = self.tables[target].rows
            return list(dict.fromkeys(n for row in rows for n in (row.run, row.baseline) if n))
        if target in self.figures:
            return self.figures[target].runs
        if target in self.runs:
            return [target]
        raise DeclarationError(
            f"unknown table, figure or run {target!r}" + suggest(target, self.targets)
        )

    def tables_of(self, run: str) -> list[str]:
        """Ids of the tables that a run fills."""
        return [t.id for t in self.tables.values() if any(row.run == run for row in t.rows)]


def load_experiments(folder: Path) -> Experiments:
    """Load and cross-check every declaration below ``folder``.

    ``runs/*.yaml`` hold lists of runs; ``tables``, ``scales`` and ``datasets`` one declaration a
    file, named after its id.

    Raises:
        DeclarationError: On the first mistake found.
    """
    runs = _many_per_file(sorted((folder / "runs").glob("*.yaml")), Run, "run")
    experiments = Experiments(
        runs=runs,
        backbones=_one_per_file(folder / "backbones", Backbone),
        tables=_one_per_file(folder / "tables", Table),
        figures=_one_per_file(folder / "figures", Figure),
        scales=_one_per_file(folder / "scales", Scale),
        datasets=_one_per_file(folder / "datasets", Dataset),
        protocols=_one_per_file(folder / "protocols", Protocol),
        decisions=_many_per_file(sorted(folder.glob("decisions.yaml")), Decision, "decision"),
        sources=_many_per_file(sorted(folder.glob("sources.yaml")), Source, "source"),
    )
    check_target_names(experiments.tables, experiments.figures, runs)
    for run in runs.values():
        _check_run(run, experiments)
    for table in experiments.tables.values():
        _check_table(folder / "tables" / f"{table.id}.yaml", table, experiments)
    for figure in experiments.figures.values():
        _check_figure(figure, experiments)
    for scale in experiments.scales.values():
        _check_scale(f"{folder / 'scales' / f'{scale.id}.yaml'}", scale, experiments)
    for dataset in experiments.datasets.values():
        _check_dataset(dataset, experiments)
    for protocol in experiments.protocols.values():
        _check_protocol(protocol, experiments)
    return experiments


def config_file(base: str) -> Path:
    """Where the config that a run's ``base`` names should be: ours, or mmdet's."""
    if base.startswith(MMDET):
        return _mmdet_configs() / f"{base.removeprefix(MMDET)}.py"
    return CONFIG_FOLDER / f"{base}.py"


def config_name(base: str) -> str:
    """What to call the config file of a base to a reader: a path in this project, or mmdet's name.

    Args:
        base: As a run's ``base`` says it.
    """
    return base if base.startswith(MMDET) else f"tsd/configs/{base}.py"


def available_bases(like: str = "") -> list[str]:
    """Names that a run's ``base`` may have: of mmdet's if ``like`` is one of them, else of ours."""
    if like.startswith(MMDET):
        found = _mmdet_configs().glob("[!_]*/*.py")
        return sorted(f"{MMDET}{path.parent.name}/{path.stem}" for path in found)
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.py"))


def _mmdet_configs() -> Path:
    """The folder of configs in the installed mmdet, which is not imported for it."""
    package = importlib.util.find_spec("mmdet")
    if package is None or package.origin is None:
        raise DeclarationError("mmdet is not installed")
    return Path(package.origin).parent / ".mim" / "configs"


def _many_per_file(
    paths: Iterable[Path], kind: type[AnyDeclaration], noun: str
) -> dict[str, AnyDeclaration]:
    """Declarations by id, from files that are lists of them."""
    declared: dict[str, AnyDeclaration] = {}
    origin: dict[str, Path] = {}
    for path in paths:
        entries = read_yaml(path)
        if not isinstance(entries, list):
            raise DeclarationError(f"{path}: expected a list of {noun}s, found {kind_of(entries)}")
        for index, entry in enumerate(entries):
            named = entry.get("id", f"number {index + 1}") if isinstance(entry, dict) else index
            declaration = validate(kind, entry, f"{path}: {noun} {named}")
            name: str = declaration.id  # type: ignore[attr-defined]
            if name in declared:
                raise DeclarationError(
                    f"{path}: {noun} id {name!r} is declared already, in {origin[name]}"
                )
            declared[name], origin[name] = declaration, path
    return declared


def _one_per_file(folder: Path, kind: type[AnyDeclaration]) -> dict[str, AnyDeclaration]:
    declared = {}
    for path in sorted(folder.glob("*.yaml")):
        declaration = validate(kind, read_yaml(path), str(path))
        if declaration.id != path.stem:  # type: ignore[attr-defined]
            raise DeclarationError(
                f"{path}: key id is {declaration.id!r}, "  # type: ignore[attr-defined]
                f"but the file is named {path.stem!r}"
            )
        declared[path.stem] = declaration
    return declared


def _check_run(run: Run, experiments: Experiments) -> None:
    if not config_file(run.base).is_file():
        raise DeclarationError(
            f"{run.origin}: unknown base {run.base!r}"
            + suggest(run.base, available_bases(run.base))
        )
    for key, name, valid in (
        ("backbone", run.backbone, experiments.backbones),
        ("dataset", run.dataset, experiments.datasets),
        ("protocol", run.protocol, experiments.protocols),
    ):
        if name is not None and name not in valid:
            raise DeclarationError(
                f"{run.origin}: key {key}: unknown {key} {name!r}" + suggest(name, valid)
            )


def _check_metrics(place: object, metrics: Iterable[str]) -> None:
    for metric in metrics:
        if metric not in METRICS:
            raise DeclarationError(
                f"{place}: key metrics: unknown metric {metric!r}" + suggest(metric, METRICS)
            )


def _check_table(path: Path, table: Table, experiments: Experiments) -> None:
    _check_metrics(path, table.metrics)
    for row in table.rows:
        place = f"{path}: row {row.label!r}"
        for key, name, noun, valid in (
            ("run", row.run, "run", experiments.runs),
            ("baseline", row.baseline, "run", experiments.runs),
            ("protocol", row.protocol, "protocol", experiments.protocols),
        ):
            if name is not None and name not in valid:
                raise DeclarationError(
                    f"{place}: key {key}: unknown {noun} {name!r}" + suggest(name, valid)
                )
        for metric in row.published:
            if metric not in table.metrics:
                raise DeclarationError(
                    f"{place}: key published: {metric!r} is not among the table's metrics"
                    + suggest(metric, table.metrics)
                )
        for source, numbers in row.elsewhere.items():
            if source not in experiments.sources:
                raise DeclarationError(
                    f"{place}: key elsewhere: unknown source {source!r}"
                    + suggest(source, experiments.sources)
                )
            for metric in numbers:
                if metric not in table.metrics:
                    raise DeclarationError(
                        f"{place}: key elsewhere: {metric!r} is not among the table's metrics"
                        + suggest(metric, table.metrics)
                    )
        for attribute in row.attributes:
            if attribute not in table.attributes:
                raise DeclarationError(
                    f"{place}: key attributes: {attribute!r} is not among the table's attributes"
                    + suggest(attribute, table.attributes)
                )


def _check_figure(figure: Figure, experiments: Experiments) -> None:
    if figure.kind not in FIGURE_KINDS:
        raise DeclarationError(
            f"{figure.origin}: key kind: unknown kind {figure.kind!r}"
            + suggest(figure.kind, FIGURE_KINDS)
        )
    for name in figure.runs:
        if name not in experiments.runs:
            raise DeclarationError(
                f"{figure.origin}: unknown run {name!r}" + suggest(name, experiments.runs)
            )
    _check_metrics(figure.origin, figure.metrics)
    for requirement in FIGURE_KINDS[figure.kind].requires:
        mistake = getattr(figure_checks, requirement)(figure)
        if mistake is not None:
            raise DeclarationError(f"{figure.origin}: {mistake}, in a figure of kind {figure.kind}")
    for requirement in FIGURE_KINDS[figure.kind].requires_of_runs:
        mistake = getattr(figure_checks, requirement)(figure, experiments.runs)
        if mistake is not None:
            raise DeclarationError(f"{figure.origin}: {mistake}, in a figure of kind {figure.kind}")


def _check_scale(place: str, scale: Scale, experiments: Experiments) -> None:
    if scale.dataset not in experiments.datasets:
        raise DeclarationError(
            f"{place}: key dataset: unknown data set {scale.dataset!r}"
            + suggest(scale.dataset, experiments.datasets)
        )
    named = [] if scale.protocol is None else [scale.protocol]
    standing_in = [entry.backbone for entry in scale.bases if entry.backbone is not None]
    for key, names, valid in (
        ("backbones", scale.backbones or (), experiments.backbones),
        ("bases", standing_in, experiments.backbones),
        ("protocol", named, experiments.protocols),
        ("only", scale.only or (), experiments.targets),
    ):
        for name in names:
            if name not in valid:
                raise DeclarationError(
                    f"{place}: key {key}: unknown name {name!r}" + suggest(name, valid)
                )
    _check_extends(place, scale, experiments.scales, "scale")


def _check_extends(
    place: str, extending: AnyScale, declared: dict[str, AnyScale], noun: str
) -> None:
    """Refuse what extends something unknown, or itself by way of others."""
    seen = [extending.id]
    while extending.extends is not None:
        if extending.extends not in declared:
            raise DeclarationError(
                f"{place}: key extends: unknown {noun} {extending.extends!r}"
                + suggest(extending.extends, declared)
            )
        if extending.extends in seen:
            raise DeclarationError(
                f"{place}: key extends: {' → '.join(seen)} → {extending.extends}"
            )
        seen.append(extending.extends)
        extending = declared[extending.extends]


def _check_protocol(protocol: Protocol, experiments: Experiments) -> None:
    _check_extends(protocol.origin, protocol, experiments.protocols, "protocol")
    for name, part in protocol.parts.items():
        place = f"{protocol.origin}: key parts"
        if name not in experiments.decisions:
            raise DeclarationError(
                f"{place}: no decision {name!r}" + suggest(name, experiments.decisions)
            )
        for entry in part.settings:
            for noun, named, valid in (
                ("data set", entry.dataset, experiments.datasets),
                ("backbone", entry.backbone, experiments.backbones),
            ):
                if named is not None and named not in valid:
                    raise DeclarationError(
                        f"{place}: {name}: unknown {noun} {named!r}" + suggest(named, valid)
                    )


def _check_dataset(dataset: Dataset, experiments: Experiments) -> None:
    mistake = format_of(dataset).mistake
    if mistake is not None:
        raise DeclarationError(f"{dataset.origin}: {mistake}")
    for name in dataset.weights:
        if name not in experiments.backbones:
            raise DeclarationError(
                f"{dataset.origin}: key weights: unknown backbone {name!r}"
                + suggest(name, experiments.backbones)
            )
