"""Commands that keep results in the repository."""

import shlex
from argparse import Namespace
from pathlib import Path

from tsd.run_folder import write_text


def publish(options: Namespace) -> None:
    """Write a report into a folder that is kept in the repository, and its headline."""
    from tsd.reporting.published import publish as publish_report

    source, target = _without_machine(options.report), _without_machine(options.to)
    command = shlex.join(["python", "-m", "tsd", "publish", f"--from={source}", f"--to={target}"])
    publish_report(options.report, options.to, options.readme, command, print)


def _without_machine(path: Path) -> str:
    """A path as it is in the project; of one elsewhere on the machine the last parts are told."""
    absolute = path.absolute()
    if absolute.is_relative_to(Path.cwd()):
        return str(absolute.relative_to(Path.cwd()))
    return "/".join(absolute.parts[-2:])


def golden(options: Namespace) -> None:
    """Write the golden values of a grid into the folder of the declarations."""
    from tsd.experiments.golden import golden_file
    from tsd.reporting.golden_values import golden_of
    from tsd.results.collected import Results

    report = options.report
    made = golden_of(Results.read(report / "results.json" if report.is_dir() else report))
    path = golden_file(options.experiments, made.grid)
    write_text(path, made.text())
    print(
        f"{path}: {len(made.runs)} runs, pooled standard deviation {made.spread} AP with "
        f"{made.freedom} degrees of freedom"
    )
