"""Links in the documentation lead to files and headings that exist."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = ["config.yaml", "Snakefile", "rules/*.smk", "profiles/**/*.yaml", "workflow_scripts/**/*.py"]


def prose(text: str) -> str:
    """A page without its blocks of code and the code in its lines."""
    return re.sub(r"`[^`\n]*`", "", blocks_removed(text))


def blocks_removed(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *#*$", blocks_removed(text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        numbered = (anchor if number == 0 else f"{anchor}-{number}" for number in count())
        found.add(next(one for one in numbered if one not in found))
    return found


def broken(folder: Path, text: str, own: set[str]) -> Iterator[str]:
    """Relative links of a page in ``folder`` that lead nowhere; ``own`` are its anchors."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        path, _, anchor = link.partition("#")
        target = folder / path
        if re.match(r"[a-z]+:", link):
            continue
        if (path and not target.exists()) or (anchor and anchor not in (anchors(target.read_text()) if path else own)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_and_anchor_exists(page: Path) -> None:
    text = page.read_text()
    assert list(broken(page.parent, text, anchors(text))) == []


def test_pages_that_code_and_configs_name_exist() -> None:
    files = [path for pattern in NAMED for path in ROOT.glob(pattern)]
    named = {(path, page) for path in files for page in re.findall(r"\bdocs/[\w/]+\.md\b", path.read_text())}
    assert len({page for _, page in named}) > 10
    assert {(str(path), page) for path, page in named if not (ROOT / page).is_file()} == set()


def test_every_page_is_listed_in_the_index() -> None:
    listed = re.findall(r"^\| \[[^]]+\]\((\w[\w-]*\.md)\) \| \S", (ROOT / "docs/index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES[2:] if page.name != "index.md")


def test_broken_links_and_anchors_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A `b`: c_d, [e](f.md)!\n## Same\n```\n# no heading\n```\n### Same\n")
    assert anchors((tmp_path / "other.md").read_text()) == {"a-b-c_d-e", "same", "same-1"}
    good = (
        "[a](other.md) [b](other.md#same-1) [c](#own) [d](https://e.org/x#y) `[e](none.md)`\n```\n[f](none.md)\n```\n"
    )
    bad = "[a](none.md) [b](other.md#none) [c](#none) [d](other.md#no-heading)"
    assert list(broken(tmp_path, good, {"own"})) == []
    assert list(broken(tmp_path, bad, {"own"})) == ["none.md", "other.md#none", "#none", "other.md#no-heading"]
