"""The page as a reader meets it: one file, short, and fit for keyboards, readers and paper."""

import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tsd.reporting.cards import with_cards
from tsd.reporting.findings import MOST
from tsd.reporting.page import ARCHIVE, write_pages, write_parts
from tsd.results.collected import Results

PUBLISHED = Path("reports/published/mini")
LARGEST = 3_000_000
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """Headings, links, ids and what else can be told of a page without a browser."""

    def __init__(self):
        super().__init__()
        self.headings, self.ids, self.links, self.images, self.classes = [], [], [], [], []
        self.open, self.captions, self.tables, self.folded, self.focusable = [], 0, 0, 0, 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.classes += (given.get("class") or "").split()
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "a":
            self.links.append(given)
        if tag == "img":
            self.images.append(given)
        self.tables += tag == "table"
        self.captions += tag == "caption"
        can_focus = tag in ("a", "summary") or "tabindex" in given
        # A line that opens is seen while what it opens is not.
        depth = self.open.count("details") - (tag == "summary")
        self.focusable += can_focus and depth == 0
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The published report, its figures and pages written anew."""
    if not PUBLISHED.is_dir():
        pytest.skip(f"{PUBLISHED} is not there")
    copy = tmp_path_factory.mktemp("report") / "mini"
    shutil.copytree(PUBLISHED, copy)
    write_parts(copy / "results.json")
    write_pages(copy / "results.json")
    return copy


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(page):
    found = Outline()
    found.feed(page)
    return found


@pytest.fixture(scope="module")
def text(page):
    """All that the page says, without tags, style sheet and what it carries."""
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    return " ".join(bare.split())


def test_headings_are_nested(outline):
    assert outline.headings.count(1) == 1
    assert outline.headings[0] == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(below - above <= 1 for above, below in steps)


def test_ids_are_unique_and_links_lead_somewhere(outline, folder):
    assert len(outline.ids) == len(set(outline.ids))
    for link in outline.links:
        target = link["href"]
        if target.startswith("#"):
            assert target[1:] in outline.ids, target
        elif not target.startswith(("data:", "../../docs/")):
            assert (folder / target).exists(), target


def test_every_picture_has_words_and_every_table_a_caption(outline):
    assert all(image["alt"] for image in outline.images)
    assert outline.tables == outline.captions > 10


def test_the_first_link_skips_to_the_findings(outline):
    assert outline.links[0]["href"] == "#findings"


def test_the_page_alone_shows_everything(outline, page, folder):
    assert len(page.encode()) < LARGEST
    assert all(image["src"].startswith("data:image/") for image in outline.images)
    carried = {link["download"] for link in outline.links if "download" in link}
    tables = {path.name for path in folder.glob("tables/*") if path.suffix in (".csv", ".tex")}
    assert tables <= carried
    beside = {one["href"] for one in outline.links if not one["href"].startswith(("#", "data:"))}
    assert beside == {ARCHIVE, "../../docs/decisions.md"}


def test_the_findings_come_first_and_name_few_claims(page):
    first = page[: page.index('<section id="claims">')]
    items = re.findall(r'<li><span class="verdict', first)
    assert 0 < len(items) <= MOST
    assert first.index("<dl") < first.index("data:image/svg+xml")


def test_only_runs_of_which_something_was_begun_have_a_card(outline, folder):
    results = Results.read(folder / "results.json")
    cards = [one.removeprefix("run-") for one in outline.ids if one.startswith("run-")]
    assert cards == list(with_cards(results))
    assert len(cards) < len(results.runs)


def test_what_holds_of_many_is_said_once(text):
    assert text.count("The paper’s own numbers bear it out") == 0
    assert text.count("not run") < 40
    assert "digest None" not in text


def test_few_things_take_the_focus_before_anything_is_opened(outline):
    # Each measured value of a table is a link to the card of its run.
    assert outline.focusable < 600


def test_each_claim_is_a_line_that_opens(outline, folder):
    results = Results.read(folder / "results.json")
    assert outline.classes.count("claim") == len(results.claims)
    assert {f"claim-{claim.id}" for claim in results.claims} <= set(outline.ids)


def in_browser(page, scripts, folder):
    """What scripts leave in the page's only ``pre`` after they have run in Chromium, as JSON."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None and not os.environ.get("TSD_REQUIRE_CHROMIUM"):
        pytest.skip("there is no Chromium on this machine (apt-get install chromium)")
    copy = folder / "page.html"
    added = "".join(f"<script>{script}</script>" for script in scripts)
    copy.write_text(page.replace("</body>", f"{added}</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--dump-dom", "--virtual-time-budget=60000"]
    out = subprocess.run(
        [browser, *options, f"--user-data-dir={folder / 'profile'}", f"file://{copy}"],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    ).stdout
    (found,) = re.findall(r"<pre>(.*?)</pre>", out, re.S)
    return json.loads(html.unescape(found))


SHOW = "document.body.innerHTML = '<pre></pre>'; document.body.firstChild.textContent = "


def test_tables_can_be_sorted(page, tmp_path):
    steps = """
    const section = document.querySelector("#table-table9"), found = {};
    const choice = section.querySelector("select");
    const head = section.querySelector("thead tr + tr th");
    function see(name) {
      const rows = [...section.querySelectorAll("tbody tr")];
      const texts = (r) => [r.cells[0], r.querySelector(".measured")].map((c) => c.textContent);
      const parts = section.querySelectorAll(".next-size").length;
      found[name] = {sort: head.ariaSort, parts, cells: rows.map(texts)};
    }
    see("before"); head.click(); see("once"); head.click(); see("twice");
    choice.value = ""; choice.dispatchEvent(new Event("change")); see("after");
    found.options = [...choice.options].map((option) => option.textContent);
    """
    found = in_browser(page, [f"{steps}{SHOW}JSON.stringify(found);"], tmp_path)
    assert found["before"] == found["after"]

    def numbers(name):
        """Of each size of objects, in the order of the page."""
        sizes = {}
        for size, cell in found[name]["cells"]:
            sizes.setdefault(size, []).append(float(re.match(r"\s*(\d+\.\d)", cell)[1]))
        return sizes

    declared = numbers("before")
    assert max(map(len, declared.values())) > 1
    assert numbers("once") == {s: sorted(v, reverse=True) for s, v in declared.items()}
    assert numbers("twice") == {s: sorted(v) for s, v in declared.items()}
    assert {found[name]["parts"] for name in found if name != "options"} == {len(declared) - 1}
    marks = [found[name]["sort"] for name in ("before", "once", "twice", "after")]
    assert marks == [None, "descending", "ascending", None]
    assert "AP .5, measured: largest first" in found["options"]


def test_axe_finds_no_serious_fault(page, tmp_path):
    """Set TSD_AXE to the axe.min.js of the npm package axe-core to have this test run."""
    axe = os.environ.get("TSD_AXE")
    if not axe or not Path(axe).is_file():
        pytest.skip("TSD_AXE does not name axe.min.js")
    run = (
        "axe.run(document, {resultTypes: ['violations']}).then(found => {"
        f"{SHOW}JSON.stringify(found.violations.map("
        "one => [one.impact, one.id, one.nodes.length])); });"
    )
    found = in_browser(page, [Path(axe).read_text(encoding="utf-8"), run], tmp_path)
    assert [one for one in found if one[0] in ("serious", "critical")] == []
