"""Writing what is made from the declarations and their models: documentation and JSON schemas."""

from argparse import Namespace
from pathlib import Path

from tsd.cluster.site import SiteFile
from tsd.experiments.decisions_page import decisions_page
from tsd.experiments.documentation import page, schema_file, schema_text
from tsd.experiments.file_kinds import EXPERIMENT_FILES, FileKind
from tsd.experiments.load import load_experiments

PAGE = Path("docs/declarations.md")
DECISIONS = Path("docs/decisions.md")

FILE_KINDS = (
    *EXPERIMENT_FILES,
    FileKind(
        name="site",
        title="The cluster's site",
        files="profiles/slurm/site.yaml",
        content=SiteFile,
        about="The site file says what jobs ask of your SLURM cluster (`docs/cluster.md`). There "
        "is one such file, and all of it is optional.",
        example="""\
site:
  partition: main
  gpu_partition: gpu
  gpu_model: a100
  gpus_per_node: 4
  max_minutes: 1440
  modules: [cuda/12.4]
""",
    ),
)
"""Every kind of YAML file that the project reads."""


def generated() -> dict[Path, str]:
    """The files that are made from the declarations and their models, with their contents."""
    schemas = {schema_file(kind): schema_text(kind) for kind in FILE_KINDS}
    decisions = decisions_page(load_experiments(Path("experiments")))
    return {PAGE: page(FILE_KINDS), DECISIONS: decisions, **schemas}


def declarations(_options: Namespace) -> None:
    """Write the documentation and the JSON schemas of the YAML files."""
    for path, content in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        print(path)
