"""Commands about bundles: results that survive a machine."""

from argparse import Namespace
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.reporting.wording import count


def bundle(options: Namespace) -> None:
    """Write the results of a grid into one archive, and say what takes how much room."""
    from tsd.reporting.bundling import bytes_text, make_bundle, sizes

    manifest = make_bundle(grid_of(options), options.out, options.weights, print)
    print("\n".join(sizes(manifest)))
    unpacked = sum(file.size for file in manifest.files)
    print(
        f"{options.out}: {count(len(manifest.trainings), 'training')}, "
        f"{bytes_text(unpacked)} in {bytes_text(options.out.stat().st_size)}"
    )


def unbundle(options: Namespace) -> None:
    """Bring the results of bundles into a folder of results."""
    from tsd.reporting.bundling import unbundle as bring

    said = bring(options.bundles, options.results, print)
    print(f"{options.results / said.grid}: {count(len(said.trainings), 'training')} of the bundles")
    if not said.has_weights:
        print(
            "Some have no weights: a report needs none, but the workflow would train them again. "
            "`python -m tsd bundle --weights` bundles weights too."
        )


def report_of_bundles(options: Namespace) -> None:
    """Bring the results of bundles into a folder of results, and write the report of them."""
    from tsd.reporting.bundling import unbundle as bring
    from tsd.reporting.page import write_pages, write_parts

    results = bring(options.bundles, options.results, print).collect()
    collected = Path("reports") / f"{results.name}.bundled" / "results.json"
    results.write(collected)
    write_parts(collected)
    print(f"report: {write_pages(collected)}")
