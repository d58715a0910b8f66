"""Snakemake, but that it asks SLURM for its jobs every second.

The executor waits ten seconds longer each time, which spares a cluster that others use, and makes a
test wait for jobs that have long ended.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def a_second(_executor: RemoteExecutor) -> None:
    """Sleep between two questions."""
    await asyncio.sleep(1)


RemoteExecutor.sleep = a_second

if __name__ == "__main__":
    sys.exit(main())
