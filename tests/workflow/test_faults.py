"""Bad input ends with a non-zero exit status and one line, in the stage's log and on the terminal."""

import zipfile
from collections.abc import Callable

import pytest

from tests.workflow.checkout import CONFIG, Checkout

pytestmark = pytest.mark.slow


def overlay(checkout: Checkout, text: str) -> tuple[str, ...]:
    """Command words with one more overlay."""
    path = checkout.folder / "over.yaml"
    path.write_text(text + "\n")
    return (*CONFIG, "over.yaml")


def ends_in_one_line(checkout: Checkout, words: tuple[str, ...], log: str, expected: str) -> None:
    """Terminal and log end in the same ``error:`` line, and there is no traceback anywhere."""
    status, printed = checkout.run(*words)
    assert status != 0
    last = printed.splitlines()[-1]
    assert last.startswith("error: "), printed[-2000:]
    assert expected in last
    assert "Traceback" not in printed
    text = (checkout.folder / "results/tiny/logs" / log).read_text()
    assert text.splitlines()[-1] == last
    assert "Traceback" not in text


def test_missing_sources_are_reported_before_anything_runs(fresh: Checkout) -> None:
    """All together, and for the jobs that are to run alone."""
    words = overlay(fresh, "recaption: {captioner: no/such/folder, matcher: README.md}")
    expected = [
        "missing source captioner in no/such/folder: nothing there; correct the path in the config, or put it there",
        "wrong source encoder-blip2 (also matcher) in README.md: a file; give a folder",
    ]
    printed = fresh.finish("-n", "--quiet", "all", *words)
    errors = [f"error: {one}" for one in expected]
    assert printed.splitlines()[-3:] == ["A run would end with 2 errors:", *errors] and "warning: " not in printed
    status, printed = fresh.run(*words)
    assert status == 1 and "Traceback" not in printed
    assert printed.splitlines()[-2:] == errors
    assert not (fresh.folder / "results/tiny").exists()
    status, printed = fresh.run("results/tiny/demo_world/world.manifest.json", *words)
    assert status == 0 and "error: " not in printed, printed[-2000:]


def test_zip_without_annotations(fresh: Checkout) -> None:
    with zipfile.ZipFile(fresh.folder / "no.zip", "w") as archive:
        archive.writestr("notes.txt", "no annotations")
    words = ("results/tiny/annotations/rows.manifest.json", *overlay(fresh, "annotations: {source: no.zip}"))
    ends_in_one_line(fresh, words, "annotations/rows.log", "no annotation files in no.zip")


def test_a_truncated_shard_is_a_single_line_error(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    tar = checkout.folder / "results/tiny/download/00000.tar"
    data = tar.read_bytes()
    tar.unlink()
    tar.write_bytes(data[: len(data) // 2])
    words = overlay(checkout, "recaption: {batch_size: 16}")
    ends_in_one_line(checkout, words, "recaption/00000.log", "wrong size in results/tiny/download/00000.tar")
