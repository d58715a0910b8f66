"""Whether a published report still says what its ``results.json`` says."""

import csv
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from tsd.experiments.schema import Table
from tsd.reporting import provenance_file, tables
from tsd.reporting.cells import fill
from tsd.reporting.headline import headline, read_headline
from tsd.reporting.provenance_file import Provenance
from tsd.reporting.published import COLLECTED, line
from tsd.reporting.wording import number
from tsd.results.collected import Results

NUMBERS = ("run", "digest", "metric", "measured", "sd", "published", "gain", "gain_sd", "seeds")
"""The columns of a table's CSV file that have to agree."""


def disagreements(folder: Path, readme: Path) -> Iterator[str]:
    """Yield what a published report, or the README, says otherwise than the collected results.

    Words may change with the code that writes them, numbers may not.

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
    page = _Cells()
    page.feed((folder / "index.html").read_text(encoding="utf-8"))
    text = (folder / "report.md").read_text(encoding="utf-8")
    for table in results.tables:
        of_file = folder / "tables" / f"{table.id}.csv"
        if _columns(of_file.read_text(encoding="utf-8")) != _columns(tables.to_csv(results, table)):
            yield f"{of_file}: has other numbers than {COLLECTED}"
        expected = sorted(_measured(results, table))
        if sorted(page.measured.get(table.id, [])) != expected:
            yield f"{folder / 'index.html'}: table {table.id} has other numbers than {COLLECTED}"
        if sorted(_measured_in(text, table)) != expected:
            yield f"{folder / 'report.md'}: table {table.id} has other numbers than {COLLECTED}"


def _columns(text: str) -> list[list[str | None]]:
    return [[row.get(name) for name in NUMBERS] for row in csv.DictReader(io.StringIO(text))]


def _measured(results: Results, table: Table) -> Iterator[str]:
    """Every measured mean of a table, as it is written."""
    for filled in fill(results, table):
        for cell in filled.cells:
            if cell.measured.mean is not None:
                yield number(cell.measured.mean, results.metrics[cell.metric].decimals)


def _measured_in(text: str, table: Table) -> Iterator[str]:
    """The numbers in the columns of measured values of a table in Markdown."""
    section = text.partition(f"### {table.title}")[2].partition("\n###")[0]
    place = None
    for line_ in section.splitlines():
        if not line_.startswith("|"):
            place = None
            continue
        words = [word.strip() for word in re.split(r"(?<!\\)\|", line_)[1:-1]]
        if tables.MEASURED in words:
            place = words.index(tables.MEASURED)
        elif place is not None and (found := re.match(r"−?\d[\d.]*", words[place])):
            yield found[0]


class _Cells(HTMLParser):
    """Finds the links of measured values in the page, by table."""

    def __init__(self) -> None:
        super().__init__()
        self.measured: dict[str, list[str]] = {}
        self._table = ""
        self._in_cell = self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._table = given.get("id", "").removeprefix("table-")
        elif tag == "td":
            self._in_cell = given.get("class", "").startswith("first measured")
        elif tag == "a":
            self._in_link = self._in_cell and "word" not in given.get("class", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("a", "td"):
            self._in_link = False

    def handle_data(self, data: str) -> None:
        if self._in_link:
            self.measured.setdefault(self._table, []).append(data)
