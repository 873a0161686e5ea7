"""The documentation as a site, and a check of its links: ``python -m tests.guides.site``, after ``make docs``.

The pages are those of docs/ and docs/generated, as Python-Markdown reads them. Links to code have no target there, and
become text.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "docs/generated"  # not in git
REFERENCE = {"commands.md": "Commands", "config.md": "Keys of the config", "why.md": "What why says"}
LOADED = {"img": "src", "link": "href", "script": "src", "iframe": "src", "source": "src"}


def as_site_page(text: str) -> str:
    """A page of docs/ as Python-Markdown needs it."""
    text = re.sub(r"^(```\w+) ([\w.-]+)$", r'\1 title="\2"', text, flags=re.MULTILINE)
    text = re.sub(r"^(<!--.*-->)$", r"\n\1\n", text, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]*)\]\(\.\./(?!\w[\w-]*\.md)[^)]*\)", r"\1", text).replace("](../", "](")


def navigation(index: str) -> list[dict[str, str | list[dict[str, str]]]]:
    """The groups of the index, as Zensical's ``nav``, with the reference pages as the last group."""
    nav: list[dict[str, str | list[dict[str, str]]]] = [{"Overview": "index.md"}]
    for group in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| \[([^\]]+)\]\(([\w-]+\.md)\)", group, re.MULTILINE)
        nav.append({group.partition("\n")[0]: [{title: page} for title, page in rows]})
    return [*nav, {"Reference": [{title: page} for page, title in REFERENCE.items()]}]


def write_pages(built: Path = BUILT) -> Path:
    """Pages and config of the site, in ``built``; returns the config."""
    pages = built / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    for page in [*(ROOT / "docs").glob("*.md"), *(built / name for name in REFERENCE)]:
        (pages / page.name).write_text(as_site_page(page.read_text()))
    for picture in (ROOT / "docs").glob("*.svg"):
        shutil.copy(picture, pages)
    config = tomllib.loads((ROOT / "docs/zensical.toml").read_text())
    config["project"]["nav"] = navigation((ROOT / "docs/index.md").read_text())
    path = built / "mkdocs.yml"
    path.write_text(json.dumps(config["project"], indent=1))  # JSON is YAML
    return path


class Links(HTMLParser):
    """What a page links to and loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value for key, value in attrs if value is not None}
        self.anchors.update(values[key] for key in ("id", "name") if key in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADED and LOADED[tag] in values and values.get("rel") != "canonical":
            self.loaded.append(values[LOADED[tag]])


def faults(site: Path) -> Iterator[str]:
    """Links and anchors of a built site that lead nowhere, and what it would load from elsewhere."""
    pages = {path.resolve(): Links(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    for path, page in sorted(pages.items()):
        for link in sorted({*page.links, *page.loaded}):
            address = urlsplit(link)
            if address.scheme or address.netloc:
                if link in page.loaded and address.scheme != "data":
                    yield f"{path.name}: loads {link}"
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchor = unquote(address.fragment)
            if not target.is_file():
                yield f"{path.name}: no file {link}"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{path.name}: no anchor {link}"
    for style in sorted(site.rglob("*.css")):
        urls = re.findall(r"""(?:url\(|@import) *["']?(https?://[^)"']+)""", style.read_text())
        yield from (f"{style.name}: loads {url}" for url in urls)


def main() -> None:
    """Build the site; exit status 1 if it has faults."""
    config = write_pages()
    build = [Path(sys.executable).with_name("zensical"), "build", "--clean", "--strict", "--config-file", config]
    subprocess.run(build, check=True)
    found = list(faults(BUILT / "site"))
    print(*found, f"{len(found)} faults", "Look at it: python -m http.server --directory docs/generated/site", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
