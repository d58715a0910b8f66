"""What a SLURM cluster is like, and what a job asks it for."""

import itertools
import math
import re
import shlex
import subprocess
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from tsd.experiments.declaration import Declaration
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.scale_schema import Resources

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:@/+-]+$"), Field(title="word")]
"""A name of a partition, an account or the like, or of an environment module."""

Constraint = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:&|()*\[\]-]+$"), Field(title="features")
]
"""Features of nodes, such as ``[a100|h100]``."""


def _without_hyphens(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.]+", name):
        raise ValueError(
            "Snakemake's SLURM plugin takes letters, digits, _ and . in a GPU's model; "
            "leave it out and name a feature of the nodes as constraint"
        )
    return name


GpuModel = Annotated[str, AfterValidator(_without_hyphens)]

MEM_MB_OF_SNAKEMAKE = 500
"""Megabytes that are asked for besides the program's, because each job runs a Snakemake too."""

SECONDS_TO_ANSWER = 60
"""So long SLURM may take to say whether it would take a job."""


class Site(Declaration):
    """What the file profiles/slurm/site.yaml says of a cluster. It explains each key."""

    partition: Annotated[Name | None, Field(examples=["main"])] = None
    """Jobs go to this partition; ``sinfo`` shows the names. By default SLURM chooses."""

    gpu_partition: Annotated[Name | None, Field(examples=["gpu"])] = None
    """Jobs with GPUs go to this partition instead."""

    account: Annotated[Name | None, Field(examples=["vision"])] = None
    """Jobs are charged to this account."""

    qos: Annotated[Name | None, Field(examples=["normal"])] = None
    """Jobs have this quality of service."""

    gpu_model: Annotated[GpuModel | None, Field(examples=["a100"])] = None
    """Jobs with GPUs ask for this model, as ``sinfo -o %G`` shows it; a name with a hyphen is not
    taken, for which ``constraint`` is the way."""

    constraint: Annotated[Constraint | None, Field(examples=["a100|h100"])] = None
    """Jobs with GPUs run only on nodes with these features."""

    gpus_per_node: Annotated[int, Field(ge=1, examples=[4])] = 8
    """A node has this many GPUs; a training on more of them goes over several nodes."""

    max_gpus: Annotated[int | None, Field(ge=0, examples=[4])] = None
    """A training gets at most this many GPUs; with fewer than the scale asks for, the learning
    rate follows."""

    max_minutes: Annotated[int | None, Field(ge=1, examples=[1440])] = None
    """A job takes at most this many minutes; a training that needs longer goes on in the next."""

    mem_mb: Annotated[int | None, Field(ge=500, examples=[12000])] = None
    """Each process asks for this many MB of memory instead of what the scale says."""

    scratch: Annotated[str | None, Field(examples=["/scratch"])] = None
    """Jobs write temporary files to this folder of their node."""

    modules: Annotated[list[Name], Field(default_factory=list, examples=[["cuda/12.4", "gcc"]])]
    """Each job loads these environment modules first."""

    container: Annotated[
        list[str],
        Field(default_factory=list, examples=[["apptainer", "exec", "--nv", "tsd.sif"]]),
    ]
    """Each job runs ``python`` behind these words, which start a container."""

    @property
    def prologue(self) -> str:
        """Shell commands that run before those of each job."""
        commands = []
        if self.modules:
            commands.append("module load " + shlex.join(self.modules))
        if self.scratch:
            commands.append("export TMPDIR=" + shlex.quote(self.scratch))
        return "".join(f"{command}; " for command in commands)

    @property
    def python(self) -> str:
        """The command that starts Python in the jobs that compute."""
        return shlex.join([*self.container, "python"])


class SiteFile(Declaration):
    """The whole of a site's file."""

    site: Annotated[Site | None, Field(examples=[{"partition": "main", "gpus_per_node": 4}])] = None
    """Everything that is said of the cluster stands below this key."""


def open_site(settings: object | None, origin: str = "slurm/site.yaml") -> Site | None:
    """The cluster that a file describes.

    Args:
        settings: Content of the file, or None where the workflow runs without a scheduler.
        origin: The file, named in errors.

    Returns:
        The cluster, or None without a scheduler.

    Raises:
        DeclarationError: If a key is unknown or a value impossible. Names file and key.
    """
    return None if settings is None else validate(Site, settings, origin)


def requests(
    site: Site | None, resources: Resources, attempt: int = 1, gpus: int | None = None
) -> dict[str, Any]:
    """What a job asks for, as resources of Snakemake and of its SLURM plugin.

    A job that is tried again gets more time, but not more memory, because one that asks for more
    than a node has would never start. A training on several GPUs runs one process on each. All its
    nodes have the same number of them, and it gets as few nodes as that allows.

    Args:
        site: The cluster, or None for this machine, where a job gets a place on one GPU if there
            are any (:mod:`tsd.cluster.gpu_plan`).
        resources: What the scale says. Memory and threads are for one process.
        attempt: Number of the attempt, counted from 1.
        gpus: Number of GPUs in place of the scale's, or None for the scale's.

    Returns:
        Name → value. ``python`` among them is the command that starts Python, on as many processes
        as the job has. ``minutes`` is how long it may run; 0 is without limit.
    """
    gpus = resources.gpus if gpus is None else gpus
    if site is None:
        return {
            "gpu_slots": min(gpus, 1),
            "mem_mb": resources.mem_mb,
            "runtime": resources.runtime * attempt,
            "minutes": 0,  # Without a scheduler nothing ends a job for its time.
            "python": "python",
        }
    gpus = gpus if site.max_gpus is None else min(gpus, site.max_gpus)
    least = max(1, math.ceil(gpus / site.gpus_per_node))
    nodes = next(number for number in itertools.count(least) if gpus % number == 0)
    on_each = gpus // nodes
    processes = max(1, gpus)
    memory = (site.mem_mb or resources.mem_mb) * max(1, on_each)
    minutes = resources.runtime * attempt
    time = min(minutes, site.max_minutes or minutes)
    asked: dict[str, Any] = {
        "nodes": nodes,
        "mem_mb": memory + MEM_MB_OF_SNAKEMAKE,
        "runtime": time,
        "minutes": time,
        "python": site.python,
        "slurm_partition": (site.gpu_partition if gpus else None) or site.partition,
        "slurm_account": site.account,
        "qos": site.qos,
    }
    if gpus:
        model = f"{site.gpu_model}:" if site.gpu_model else ""
        asked |= {"gres": f"gpu:{model}{on_each}", "constraint": site.constraint}
    if processes > 1:
        # Where a node has several processes their number is asked for by node, because SLURM deals
        # CPUs out unevenly if it gets the total. "mpi" keeps the plugin from calling srun itself.
        by_node = {"tasks_per_node": on_each} if on_each > 1 else {"tasks": processes}
        asked |= {"mpi": "srun", "tasks_per_gpu": 0, **by_node}
        asked["python"] = f"{launcher(nodes, processes, resources.threads)} {site.python}"
    return {name: value for name, value in asked.items() if value is not None}


PACK = "pack"
"""The name by which Snakemake knows trainings that may share a job."""

ATTEMPTS_VARIABLE = "TSD_ATTEMPTS"
"""By this environment variable a job learns how often it is tried at most."""


def pack_size(site: Site | None, resources: Resources) -> int:
    """How many trainings share a job, which has a whole GPU; 1 where each has its own.

    Args:
        site: The cluster, or None for this machine.
        resources: What the scale says.
    """
    gpus = resources.gpus
    if site is not None and site.max_gpus is not None:
        gpus = min(gpus, site.max_gpus)
    if site is None or gpus != 1:
        return 1
    return resources.per_gpu


def packed_requests(site: Site, resources: Resources, attempt: int = 1) -> dict[str, Any]:
    """What one of the trainings that share a job asks for.

    Snakemake adds up the numbers of those in a job, memory and threads for instance, and takes what
    is a word, such as the GPU, once. The number of nodes is a number, so that it is left to SLURM.
    """
    asked = requests(site, resources, attempt)
    return {name: value for name, value in asked.items() if name != "nodes"}


def check(site: Site, resources: Resources, pack: int = 1) -> None:
    """Ask the scheduler whether it would take the grid's jobs, before any of them is submitted.

    Args:
        site: The cluster.
        resources: What the scale says that a job needs.
        pack: How many trainings share a job.

    Raises:
        DeclarationError: If it would not, does not answer, or is not there. Gives SLURM's own
            reason and the command that it was asked with.
    """
    for gpus, sharing in sorted({(min(resources.gpus, 1), 1), (resources.gpus, pack)}):
        wanted = requests(site, resources, gpus=gpus)
        if sharing > 1:
            wanted |= {"mem_mb": sharing * wanted["mem_mb"], "cpus": sharing * resources.threads}
        command = ["sbatch", "--test-only", *_options(wanted)]
        try:
            asked = subprocess.run(  # noqa: S603 a list, no shell
                [*command, "--wrap=true"],
                capture_output=True,
                text=True,
                timeout=SECONDS_TO_ANSWER,
            )
        except FileNotFoundError as error:
            raise DeclarationError(
                "there is no sbatch here: start this on a cluster's login node, or without "
                "--profile slurm"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DeclarationError(
                f"SLURM has not answered for {SECONDS_TO_ANSWER} s: {shlex.join(command)}"
            ) from error
        if asked.returncode:
            why = asked.stderr.strip().removeprefix("sbatch: error: ").replace("\n", " ")
            raise DeclarationError(
                f"slurm/site.yaml: SLURM would not take a job on {gpus or 'no'} GPUs: {why} "
                f"(asked with {shlex.join(command)})"
                + (
                    f"; `--group-components {PACK}=N` has N trainings share it"
                    if sharing > 1
                    else ""
                )
            )


def _options(asked: dict[str, Any]) -> list[str]:
    """The options of ``sbatch`` that ask for the same as resources of Snakemake's plugin."""
    words = {
        "slurm_partition": "--partition",
        "slurm_account": "--account",
        "qos": "--qos",
        "constraint": "--constraint",
        "runtime": "--time",
        "mem_mb": "--mem",
        "nodes": "--nodes",
        "gres": "--gres",
        "tasks": "--ntasks",
        "tasks_per_node": "--ntasks-per-node",
        "cpus": "--cpus-per-task",
    }
    return [f"{words[name]}={value}" for name, value in asked.items() if name in words]


def launcher(nodes: int, processes: int, threads: int) -> str:
    """What goes before ``python`` to start a training's processes on the nodes that it got.

    This is ``srun`` and not torchrun, because ``srun`` knows the nodes, binds each process to its
    share of them, passes signals on and ends all processes when one fails, without an agent on each
    node.

    Args:
        nodes: Number of nodes.
        processes: Number of processes on all of them together.
        threads: Number of CPUs for each process.
    """
    options = {
        "nodes": nodes,
        "ntasks": processes,
        "ntasks-per-node": processes // nodes,
        "cpus-per-task": threads,
        "kill-on-bad-exit": 1,
    }
    return " ".join(["srun", *(f"--{name}={value}" for name, value in options.items())])
