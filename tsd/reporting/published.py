"""Published reports: reports of finished trainings that are kept in the repository.

A report leads to folders of results that only the machine has on which it was made. What is
published is the part of it that stands alone: the pages, the tables, the figures, the collected
results, and how they came to be. It is written anew from ``results.json``, so that the pages and
the numbers beside them cannot be of different times. Only figures that look into trained networks
are copied, since what they show lies in the trainings' folders.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.figure_kinds import extractions
from tsd.reporting import provenance_file
from tsd.reporting.headline import END, begin, headline, with_headline
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.provenance_file import Provenance
from tsd.results.collected import Results
from tsd.results.publishing_error import PublishingError
from tsd.run_folder import write_text

COLLECTED = "results.json"
AIM = 5_000_000
"""Bytes that a published report should not exceed."""

INSIDE = (".svg", ".pdf")
"""Suffixes of figures that ``index.html`` has in itself, so that they need not lie beside it. The
PNG files are what ``report.md`` shows."""

LARGE_PICTURE = 60_000
"""Bytes: a larger PNG file is published with a palette of 256 colours."""


def publish(
    source: Path, folder: Path, readme: Path, command: str, announce: Callable[[str], None]
) -> None:
    """Publish a report: write its folder anew, and its headline into the README.

    Args:
        source: The folder of the report, or its ``results.json``.
        folder: The folder to write; one that is there is replaced as a whole.
        readme: The document with the marks for headlines.
        command: The command that was given, for the provenance.
        announce: Called with what was written and what is worth knowing.

    Raises:
        PublishingError: There is no report, or a part of a figure that cannot be drawn here is
            missing; the folder holds something else, or the document does not say where headlines
            belong. Nothing was changed.
    """
    collected = source / COLLECTED if source.is_dir() else source
    if not collected.is_file():
        raise PublishingError(
            f"{collected}: no such file; `python -m tsd report` writes a report of what there is"
        )
    if folder.exists() and not (folder / provenance_file.FILE).is_file():
        raise PublishingError(
            f"{folder} is there and no published report, so that it is not replaced"
        )
    results = portable(Results.read(collected))
    text = _with_line(readme, folder, results)
    with _in_place_of(folder) as fresh:
        written = fresh / COLLECTED
        results.write(written)
        copied = _copy_figures(results, collected.parent / "figures", fresh / "figures")
        write_parts(written, leave_out=copied)
        for picture in (fresh / "figures").glob("*.png"):
            _shrink(picture)
        write_pages(written, is_published=True)
        for page in ("report.md", "index.html"):
            _mend_links(fresh / page, folder)
        for suffix in INSIDE:
            for picture in (fresh / "figures").glob(f"*{suffix}"):
                picture.unlink()
        said = Provenance.of(results, command)
        write_text(fresh / provenance_file.FILE, said.model_dump_json(indent=1) + "\n")
    write_text(readme, text)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    announce(f"{folder}: {size / 1e6:.1f} MB, {said.headline}")
    if size > AIM:
        announce(f"{folder} is larger than {AIM / 1e6:.0f} MB, which is much for a repository")


def portable(results: Results) -> Results:
    """Collected results without what is true of one machine's folders alone.

    Args:
        results: The content of ``results.json``.
    """
    content = results.model_copy(deep=True)
    for training in content.trainings():
        if training.folder is not None and Path(training.folder).is_absolute():
            training.folder = "/".join(["results", *Path(training.folder).parts[-4:]])
        if training.tracking is not None:
            training.tracking = training.tracking.model_copy(update={"uri": None})
    content.dataset = _portable_root(content.dataset)
    content.options = {
        name: Path(value).name if value.startswith("/") else value
        for name, value in content.options.items()
    }
    for data in content.data.values():
        data.dataset = _portable_root(data.dataset)
        if data.check is not None:
            of_check = _portable_root(data.check.dataset)
            data.check = data.check.model_copy(update={"dataset": of_check})
    return content


def _portable_root(dataset: Dataset) -> Dataset:
    root = Path(dataset.root)
    return dataset.model_copy(update={"root": root.name}) if root.is_absolute() else dataset


def _with_line(readme: Path, folder: Path, results: Results) -> str:
    """The README with the report's line, which leads to the report."""
    name = folder.name
    text = with_headline(
        readme.read_text(encoding="utf-8"), name, line(readme, folder, headline(results))
    )
    if text is None:
        raise PublishingError(
            f"{readme}: says nowhere where the headline of a report belongs: put "
            f"{begin(name)}{END} there"
        )
    return text


def line(readme: Path, folder: Path, sentence: str) -> str:
    """What the README says of a published report, with links that lead from there to it.

    Args:
        readme: The document.
        folder: The published report.
        sentence: Its headline.
    """
    where = os.path.relpath(folder, readme.parent)
    links = ((folder.name, "report.md"), ("how it was made", provenance_file.FILE))
    report, made = (f"[{words}]({where}/{file})" for words, file in links)
    return f"**{report}**: {sentence} ({made})"


def _copy_figures(results: Results, source: Path, target: Path) -> list[str]:
    """Copy the figures that only the machine with the networks can draw.

    Returns:
        The ids of the figures that are there now.
    """
    target.mkdir(parents=True)
    copied = []
    for figure in results.figures:
        files = [source / f"{figure.id}.{suffix}" for suffix in ("svg", "pdf", "png", "txt")]
        there = [file for file in files if file.is_file()]
        if figure.kind not in extractions() or not there:
            continue
        if len(there) < len(files):
            absent = next(file for file in files if file not in there)
            raise PublishingError(
                f"{absent}: no such file, and only the machine with the networks can draw the "
                "figure; publish the report itself and not what was published of it"
            )
        for file in files:
            shutil.copyfile(file, target / file.name)
        copied.append(figure.id)
    for name in ("samples.png", "samples.txt"):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return copied


def _shrink(picture: Path) -> None:
    """Store a large picture with a palette; a repository keeps every version for ever."""
    if picture.stat().st_size <= LARGE_PICTURE:
        return
    with Image.open(picture) as image:
        fewer = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
    fewer.save(picture, optimize=True)


def _mend_links(page: Path, folder: Path) -> None:
    """Have the links to the documentation lead there from where the page will lie."""
    docs = os.path.relpath("docs", folder)
    text = page.read_text(encoding="utf-8")
    mended = re.sub(r"(\]\(|href=\")(?:\.\./)+docs/", rf"\g<1>{docs}/", text)
    page.write_text(mended, encoding="utf-8")


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """A fresh folder that takes the place of another one once it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("fresh", "old"))
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
