"""The rendered book, whole: no page asks for what is not there, and it can be read in a browser without a network.

The book is rendered once. What can be said from the files alone is tested everywhere; the rest is seen in a browser
where there is one.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from browser import Browser, find_browser

from book.equations import FORMULA, read_papers
from rcnn_lite.pages import is_image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "video": "src", "embed": "src"}
REFERENCES = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "manifest"}
CODE = {"pre", "code", "script", "style", "svg", "title"}
UNRENDERED = re.compile(r"\$[^$\s][^$]*\$|\\[(\[]|\\(?:frac|sum|text|mathbf|lambda)\b")
NETWORK = re.compile(r"^(?:https?:)?//")
FOUND = """new Promise(done => {
    const look = () => {
        const links = [...document.querySelectorAll("#search-results li a")];
        links.length ? done(links.map(link => link.getAttribute("href"))) : setTimeout(look, 50);
    };
    look();
    setTimeout(() => done([]), 20000);
})"""
"""The links of the search's results, once there are some."""
IN_CSS = re.compile(r"@import\s+[\"']([^\"']+)|url\(\s*[\"']?([^\"')]+)")


@dataclass
class Page(HTMLParser):
    """What a page of the book refers to and says."""

    file: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    without_alt: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    formulas: int = 0

    def __post_init__(self):
        super().__init__()
        self.open: list[tuple[str, bool]] = []  # the tags around, and whether their text is code or a formula
        self.feed(self.file.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        found = {name: value or "" for name, value in attributes}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        formula = "math" in found.get("class", "").split()
        self.formulas += formula
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if LOADED.get(tag) in found:
            self.loads.append(found[LOADED[tag]])
        if tag == "link" and REFERENCES & set(found.get("rel", "").split()):
            self.loads.append(found["href"])
        self.loads += [a or b for a, b in IN_CSS.findall(found.get("style", ""))]
        if tag == "img" and not found.get("alt", "").strip():
            self.without_alt.append(found.get("src", "")[-60:])
        if tag not in ("img", "link", "meta", "br", "hr", "input", "source", "wbr", "col"):
            self.open.append((tag, formula or tag in CODE or (bool(self.open) and self.open[-1][1])))

    def handle_endtag(self, tag):
        while any(name == tag for name, _ in self.open) and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not (self.open and self.open[-1][1]):
            self.words.append(data)


def faults(folder: Path) -> list[str]:
    """What is wrong with the pages of a folder, in sentences; nothing is opened but its files."""
    pages = {file: Page(file) for file in sorted(folder.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        name = file.relative_to(folder).as_posix()
        found += [f"{name}: an image has no description: {image}" for image in page.without_alt]
        found += [f"{name}: loads {address} from a network" for address in page.loads if NETWORK.match(address)]
        found += [f"{name}: raw formula in the text: {m.group()}" for m in UNRENDERED.finditer(" ".join(page.words))]
        for address in (a for a in page.loads + page.links if not urlsplit(a).scheme and not NETWORK.match(a)):
            parts = urlsplit(address)
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                found.append(f"{name}: {address} is not there")
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids:
                found.append(f"{name}: {address} has no such place")
    for sheet in sorted(folder.rglob("*.css")):
        addresses = [a or b for a, b in IN_CSS.findall(sheet.read_text(encoding="utf-8"))]
        found += [f"{sheet.name}: loads {address} from a network" for address in addresses if NETWORK.match(address)]
        local = (a for a in addresses if not NETWORK.match(a) and not a.startswith(("data:", "#")))
        found += [
            f"{sheet.name}: {a} is not there"
            for a in local
            if not (sheet.parent / a.split("?")[0].split("#")[0]).is_file()
        ]
    return found


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """The folder of the rendered book."""
    folder = tmp_path_factory.mktemp("book") / "pages"
    command = [sys.executable, "-m", "book", "--output", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


# from the files


def test_the_book_has_no_fault(book):
    assert faults(book) == []


def contents(name: str) -> tuple[int, int]:
    """How many pictures and formulas a notebook has."""
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    pictures = sum(is_image(output) for cell in cells for output in cell.get("outputs", []))
    formulas = sum(len(FORMULA.findall(cell.source)) for cell in cells if cell.cell_type == "markdown")
    return pictures, formulas


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_has_a_page_with_its_pictures_and_formulas(book, name):
    page = Page(book / "notebooks" / f"{name}.html")
    pictures, formulas = contents(name)
    assert sum("/_images/" in address for address in page.loads) == pictures
    assert page.formulas >= formulas


def test_the_first_page_leads_to_all_others(book):
    links = set(Page(book / "index.html").links)
    pages = {
        file.relative_to(book).as_posix()
        for part in ("notebooks", "lookup", "reference")
        for file in (book / part).iterdir()
    }
    assert pages <= links
    assert {"lookup/equations.html", "lookup/glossary.html", "lookup/claims.html"} <= pages
    assert len(pages) >= len(NOTEBOOKS) + 10


def test_the_lines_of_the_index_are_those_of_the_package(book):
    """The anchor of each line, followed into the page of the source, shows the line as it stands in the file."""
    text = (book / "lookup" / "equations.html").read_text(encoding="utf-8")
    places = re.findall(r'href="\.\./source/(\w+)\.html#(\w+)-line-(\d+)"', text)
    assert len(places) >= sum(len(paper.numbers) for paper in read_papers().rows) > 30
    for folder, module, number in places:
        source = ROOT / "rcnn_lite" / ("" if folder == "top" else folder) / f"{module}.py"
        line = source.read_text(encoding="utf-8").splitlines()[int(number) - 1]
        page = (book / "source" / f"{folder}.html").read_text(encoding="utf-8")
        shown = re.search(rf'<span id="{module}-line-{number}">(.*)\n', page).group(1)
        assert line.strip() in unescape(re.sub(r"<[^>]+>", "", shown))


def test_the_search_index_knows_notebooks_and_package(book):
    index = (book / "searchindex.js").read_text(encoding="utf-8")
    assert '"notebooks/13_roi_align"' in index
    assert '"reference/regions"' in index
    assert "roi_align" in index


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<img src="a.png">', "an image has no description"),
        ('<img src="a.png" alt=" ">', "an image has no description"),
        ('<img src="b.png" alt="b">', "b.png is not there"),
        ('<script src="https://a.b/c.js"></script>', "loads https://a.b/c.js from a network"),
        ('<link rel="stylesheet" href="//a.b/c.css">', "loads //a.b/c.css from a network"),
        ('<p style="background: url(http://a.b/c.png)">', "loads http://a.b/c.png from a network"),
        ('<a href="other.html">x</a>', "other.html is not there"),
        ('<a href="#there">x</a>', "#there has no such place"),
        ("<p>the width $w$ is</p>", "raw formula in the text: $w$"),
        (r"<p>\(w\)</p>", "raw formula in the text"),
        (r"<p>a \frac 1</p>", "raw formula in the text"),
    ],
)
def test_each_fault_is_seen(tmp_path, body, fault):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "page.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    [found] = faults(tmp_path)
    assert fault in found


def test_a_style_sheet_that_loads_from_a_network_is_seen_and_a_good_page_is_not(tmp_path):
    (tmp_path / "a.css").write_text('@import "https://a.b/c.css"; p { background: url(none.png) }', encoding="utf-8")
    assert faults(tmp_path) == ["a.css: loads https://a.b/c.css from a network", "a.css: none.png is not there"]
    (tmp_path / "a.css").unlink()
    good = '<p id="a">3 $ and 4 $</p><code>$x$</code><span class="math">\\(x\\)</span><a href="#a">a</a><a href="https://a.b">b</a>'
    (tmp_path / "page.html").write_text(good.replace("3 $ and 4 $", "3 $"), encoding="utf-8")
    assert faults(tmp_path) == []


# in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(find_browser(), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.mark.parametrize(
    "page",
    ["index", "lookup/equations", "lookup/glossary", "lookup/claims", "reference/regions", "source/heads"]
    + [f"notebooks/{name}" for name in NOTEBOOKS],
)
def test_a_page_is_readable_on_a_narrow_screen(book, browser, page):
    """At 400 pixels nothing is wider than the screen, formulas are drawn, images shown, and the console is silent."""
    visit = browser.open((book / f"{page}.html").as_uri(), width=400)
    assert visit.complaints == []
    assert visit.seen["wider"] <= 0
    assert visit.seen["cut"] == []
    assert visit.seen["broken"] == []
    assert visit.seen["refused"] == []
    assert visit.seen["drawn"] == visit.seen["formulas"]
    assert all(address.startswith(("file:", "data:")) for address in visit.asked)
    assert len(visit.seen["text"]) > 500
    if page.startswith("notebooks/"):
        pictures, formulas = contents(page.removeprefix("notebooks/"))
        assert visit.seen["images"] >= pictures
        assert visit.seen["drawn"] >= formulas


def test_the_search_finds_a_notebook(book, browser):
    visit = browser.open((book / "search.html").as_uri() + "?q=RoIAlign", width=1200)
    links = browser.evaluate(FOUND)
    assert any("13_roi_align" in link for link in links)
    assert visit.complaints == []


def test_what_a_browser_complains_of_is_seen(tmp_path, browser):
    page = tmp_path / "page.html"
    wide = '<article style="overflow: hidden"><p style="width: 900px">wide</p></article>'
    body = f'<img src="none.png" alt="x">{wide}<div style="width: 900px">wide</div><span class="math">x</span>'
    page.write_text(f"<html><body>{body}<script>console.error('no')</script></body></html>", encoding="utf-8")
    visit = browser.open(page.as_uri())
    assert len(visit.complaints) == 2  # the missing file and the console's error
    assert visit.seen["wider"] > 400
    assert visit.seen["cut"] == ["P  wide"]
    assert visit.seen["broken"] == ["none.png"]
    assert (visit.seen["formulas"], visit.seen["drawn"]) == (1, 0)
