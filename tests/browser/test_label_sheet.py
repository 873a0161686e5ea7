"""A rater fills in a label sheet by keyboard, comes back later, and hands it in."""

import time
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.chromium import SECONDS, Page
from workflow_scripts.captions.labels.reading import Rated, read_labels
from workflow_scripts.core.files.names import LABEL_KEY
from workflow_scripts.reporting.labels import Item, items_of, key_file, sheet_name, sheet_page

IMAGES = 20
SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
LONG = "word " * 60_000
ARMS = ("generated", "original", "revised")


def captions_of(number: int) -> dict[str, str]:
    """Two different captions of three arms."""
    original = {3: SCRIPT, 4: LONG, 5: "", 6: "x" * 300_000}.get(number, f"title {number}")
    return {"original": original, "generated": f"a picture of {number}", "revised": f"a picture of {number}"}


CAPTIONS = {f"k{number:02}": captions_of(number) for number in range(IMAGES)}


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """What the sheet ``tmp_path/sheet.html`` shows."""
    made = items_of(CAPTIONS, seed=1)
    name = sheet_name(made)
    pictures = [Image.new("RGB", (900, 500), (12 * number, 90, 60)) for number in range(IMAGES)]
    (tmp_path / "sheet.html").write_bytes(sheet_page(made, pictures, name, 480))
    (tmp_path / f"sheet.html{LABEL_KEY}").write_bytes(key_file(made, name))
    return made


def rating(item: int, caption: int, scale: int) -> int:
    """What the rater of this test thinks."""
    return (item + 2 * caption + scale) % 4


def rate(page: Page, number: int) -> None:
    """Rate the image that is open, prefer its second caption, and go on."""
    for caption in range(2):
        for scale in range(2):
            page.press(str(rating(number, caption, scale)))
    page.press("b")
    page.press("Enter")


def progress(page: Page) -> str:
    found: str = page.evaluate("document.getElementById('progress').textContent")
    return found


def exported(folder: Path) -> Path:
    """The file that the browser saves there, once it is complete."""
    end = time.monotonic() + SECONDS
    while not (found := [path for path in folder.glob("*.csv") if path.stat().st_size]):
        assert time.monotonic() < end, "nothing was exported"
        time.sleep(0.05)
    return found[0]


def test_twenty_images_can_be_rated_by_keyboard(page: Page, tmp_path: Path, items: list[Item]) -> None:
    page.open((tmp_path / "sheet.html").as_uri())
    for number in range(8):
        rate(page, number)
    assert progress(page) == "Image 9 of 20 · 8 finished"
    page.open((tmp_path / "sheet.html").as_uri())
    assert progress(page) == "Image 9 of 20 · 8 finished"
    for number in range(8, IMAGES):
        rate(page, number)
    assert progress(page) == "All 20 images are finished: export the CSV file."
    page.evaluate("document.getElementById('export').click()")  # without a name nothing is saved
    assert "Enter your name" in page.evaluate("document.getElementById('warning').textContent")
    page.call("Input.insertText", text="Ann")
    page.evaluate("document.getElementById('export').click()")
    path = exported(tmp_path / "saved")
    path.rename(tmp_path / path.name)
    found = read_labels(
        tmp_path, ARMS, {(key, arm): text for key, row in CAPTIONS.items() for arm, text in row.items()}
    )
    assert (found.rows, found.raters, dict(found.dropped)) == (2 * IMAGES, ["Ann"], {})
    expected = []
    for number, item in enumerate(items):
        for place, shown in enumerate(item.captions):
            given = ([rating(number, place, 0)], [rating(number, place, 1)], [place])
            expected.append(Rated(item.key, shown.digest, sorted(shown.arms), *given))
    assert sorted(found.captions, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("width", [400, 1400])
def test_pages_do_not_overflow_and_log_no_messages(page: Page, tmp_path: Path, items: list[Item], width: int) -> None:
    page.width(width)
    page.open((tmp_path / "sheet.html").as_uri())
    for number in range(IMAGES):
        assert page.overflows() == [], items[number].name
        page.press("ArrowRight")
    assert page.evaluate("document.title") == f"Caption ratings {sheet_name(items)}"
    assert page.evaluate("document.scripts.length") == 1
    assert page.messages == []
