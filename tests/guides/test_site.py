"""The site of the documentation: pages as Python-Markdown reads them, and a check of links that finds faults."""

from pathlib import Path

from tests.conftest import ROOT
from tests.guides.site import as_site_page, faults, navigation


def test_pages_are_as_python_markdown_reads_them() -> None:
    page = (
        "<!-- generated: files -->\n| a |\n|---|\n"
        "[`x.py`](../workflow_scripts/x.py), [b](../b.md#c), [d](d.md)\n```yaml my.yaml\na: 1\n```\n"
    )
    assert as_site_page(page) == (
        "\n<!-- generated: files -->\n\n| a |\n|---|\n"
        '`x.py`, [b](b.md#c), [d](d.md)\n```yaml title="my.yaml"\na: 1\n```\n'
    )


def test_the_navigation_has_every_page_in_the_groups_of_the_index() -> None:
    nav = navigation((ROOT / "docs/index.md").read_text())
    groups = {title: group for entry in nav for title, group in entry.items()}
    assert list(groups)[:2] == ["Overview", "Start here"] and list(groups)[-1] == "Reference"
    pages = [page for group in groups.values() if isinstance(group, list) for row in group for page in row.values()]
    own = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert sorted(pages) == sorted(own | {"commands.md", "config.md", "why.md"})


def test_broken_links_and_what_is_loaded_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="#top">1</a><a href="b.html#b">2</a><a href="https://e.org/x">3</a>'
        '<img src="p.svg">'
        '<a href="#none">4</a><a href="b.html#none">5</a><a href="c.html">6</a><script src="https://e.org/s.js"></script>'
    )
    (tmp_path / "b.html").write_text('<h2 id="b">B</h2>')
    (tmp_path / "p.svg").write_text("<svg/>")
    (tmp_path / "s.css").write_text("@import 'https://e.org/font.css'; a {background: url(p.svg)}")
    assert sorted(faults(tmp_path)) == [
        "a.html: loads https://e.org/s.js",
        "a.html: no anchor #none",
        "a.html: no anchor b.html#none",
        "a.html: no file c.html",
        "s.css: loads https://e.org/font.css",
    ]
