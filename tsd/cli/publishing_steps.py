"""Commands that keep results in the repository."""

import shlex
from argparse import Namespace
from pathlib import Path


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
