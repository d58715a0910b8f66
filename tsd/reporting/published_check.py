"""Whether a published report still says what its ``results.json`` says."""

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

from tsd.reporting import provenance_file, tables
from tsd.reporting.headline import headline, read_headline
from tsd.reporting.page import render
from tsd.reporting.provenance_file import Provenance
from tsd.reporting.published import COLLECTED, line
from tsd.reporting.verdict_texts import SYMBOLS
from tsd.results.collected import Results

NUMBERS = ("run", "digest", "metric", "measured", "sd", "published", "gain", "gain_sd", "seeds")
"""The columns of a table's CSV file that have to agree."""


def disagreements(folder: Path, readme: Path) -> Iterator[str]:
    """Yield what a published report, or the README, says otherwise than the collected results.

    Both pages are written anew and compared. Words may change with the code that writes them,
    numbers and verdicts may not.

    Args:
        folder: The published report.
        readme: The document with its headline.

    Raises:
        ResultsError: The collected results cannot be read.
    """
    results = Results.read(folder / COLLECTED)
    found = read_headline(readme.read_text(encoding="utf-8"), folder.name)
    if found != line(readme, folder, headline(results)):
        yield f"{readme}: the headline of {folder.name} is not that of its {COLLECTED}"
    said = Provenance.model_validate_json((folder / provenance_file.FILE).read_bytes())
    if said != Provenance.of(results, said.published_by):
        yield f"{folder / provenance_file.FILE}: is not that of {COLLECTED}"
    for name, anew in render(folder / COLLECTED, is_published=True, carries=False).items():
        if told_in((folder / name).read_text(encoding="utf-8")) != told_in(anew):
            yield f"{folder / name}: has other numbers or verdicts than {COLLECTED}"
    for table in results.tables:
        of_file = folder / "tables" / f"{table.id}.csv"
        if _columns(of_file.read_text(encoding="utf-8")) != _columns(tables.to_csv(results, table)):
            yield f"{of_file}: has other numbers than {COLLECTED}"


def told_in(page: str) -> list[str]:
    """All numbers and the marks of verdicts that a page shows, in their order, less its downloads.

    Args:
        page: Its text, in HTML or Markdown.
    """
    unread = r'<(style|script|p class="files")>.*?</(style|script|p)>'
    shown = re.sub(rf"{unread}|<[^>]*>", " ", page, flags=re.S)
    marks = "".join(SYMBOLS.values()).replace("?", "")  # which stands in sentences too
    return re.findall(rf"[+−-]?\d[\d,.]*|[{re.escape(marks)}]", html.unescape(shown))


def _columns(text: str) -> list[list[str | None]]:
    return [[row.get(name) for name in NUMBERS] for row in csv.DictReader(io.StringIO(text))]
