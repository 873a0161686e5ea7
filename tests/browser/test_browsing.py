"""A reader searches a study's images, opens one, follows a neighbour, and saves a page."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browse.small_study import GENERATED, ORIGINAL, study_of
from tests.browser.chromium import Page
from workflow_scripts.commands.main import main

UNBROKEN = "x" * 300_000
CARDS = "[...document.querySelectorAll('.card .mono')].map((one) => one.textContent)"
LOADED = "[...document.images].every((one) => one.complete && one.naturalWidth > 0)"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine images; their captions hold a script, 300 kB of words, and 300 kB without a space."""
    return study_of(tmp_path_factory.mktemp("browsed"), generated=[*GENERATED[:-1], UNBROKEN])


@pytest.fixture(scope="module")
def address(study: Path) -> Iterator[str]:
    """The address of the study's page."""
    command = [sys.executable, "-m", "workflow_scripts.commands", "browse", str(study), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if line.startswith("http://"))
        process.terminate()


def fill(page: Page, **fields: str) -> None:
    """Fill in the form and send it."""
    page.evaluate("window.old = true")
    for name, value in fields.items():
        page.evaluate(f"document.forms[0].elements.{name}.value = {value!r}")
    page.evaluate("document.querySelector('form button').click()")
    page.until("!window.old && document.readyState === 'complete'")


def follow(page: Page, selector: str) -> None:
    """Click a link, and wait for its page."""
    page.evaluate("window.old = true")
    page.evaluate(f"document.querySelector({selector!r}).click()")
    page.until("!window.old && document.readyState === 'complete'")


def test_search_filter_open_and_neighbours(page: Page, address: str) -> None:
    page.open(address)
    assert len(page.evaluate(CARDS)) == len(ORIGINAL)
    page.evaluate("document.querySelector('input[type=search]').focus(), window.old = true")
    page.call("Input.insertText", text="red dog")
    page.press("Enter")
    page.until("!window.old && document.readyState === 'complete'")
    assert page.evaluate(CARDS) == ["k5"]
    fill(page, arm="shuffled")
    assert page.evaluate(CARDS) == ["k4"]  # has the caption of k5
    fill(page, arm="original")
    assert page.evaluate(CARDS) == ["k5"]
    fill(page, q="", subreddit="a", score="original/matcher itm", order="high", lowest="-1", highest="1.5")
    assert page.evaluate(CARDS) == ["k6", "k4", "k2"]
    fill(page, subreddit="", lowest="", highest="", versus="original/matcher itc", order="far")
    assert page.evaluate(CARDS)[:2] == ["k0", "k8"]
    page.evaluate("document.querySelector('.presets').open = true")
    follow(page, ".presets a[href*='order=low']")
    follow(page, "a[href='image/0']")
    page.until(LOADED)
    assert page.evaluate("document.querySelector('h1').textContent") == "k0"
    partners = "[...document.querySelectorAll('.pair a')].map((one) => one.getAttribute('href'))"
    assert page.evaluate(partners) == ["5", "1"]
    follow(page, ".pair a")
    assert page.evaluate("document.querySelector('h1').textContent") == "k5"
    artifacts = "[...document.querySelectorAll('.artifacts li')].map((one) => one.textContent)"
    assert "image_index/images" in page.evaluate(artifacts)
    assert page.messages == []


@pytest.mark.parametrize("width", [400, 1400])
def test_pages_do_not_overflow_and_log_no_messages(
    page: Page, address: str, study: Path, tmp_path: Path, width: int
) -> None:
    out = tmp_path / "sample.html"
    assert main(["browse", str(study), "--export", str(out), "--images", "9"]) == 0
    page.width(width)
    paths = ["", "?q=nowhere", "?page=0", *(f"image/{row}" for row in range(9))]
    for place in [*(address + path for path in paths), out.as_uri()]:
        page.open(place)
        page.evaluate("[...document.querySelectorAll('details')].forEach((one) => { one.open = true })")
        assert page.overflows() == [], place
        assert page.evaluate("document.title") != "run" and page.evaluate("document.scripts.length") == 0
        assert page.evaluate("document.body.textContent.length") < 60_000
    assert page.messages == []


def test_an_exported_page_needs_nothing_else(page: Page, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "paper" / "sample.html"
    assert main(["browse", str(study), "--export", str(out), "--view", "q=dog&arm=original"]) == 0
    page.offline(True)
    page.open(out.as_uri())
    page.until(LOADED)
    assert page.evaluate(CARDS) == ["k3", "k5"]
    assert page.evaluate("document.images.length") == 3  # k5 has a partner
    assert page.messages == []
