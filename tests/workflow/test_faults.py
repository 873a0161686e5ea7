"""Bad input ends with a non-zero exit status and one line, in the stage's log and on the terminal."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.workflow.checkout import CONFIG, Checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]


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


def test_missing_checkpoint_folder(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    words = overlay(checkout, "recaption: {captioner: no/such/folder}")
    ends_in_one_line(checkout, words, "source/captioner.log", "missing source in no/such/folder")


def test_zip_that_is_no_zip(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    (checkout.folder / "no.zip").write_bytes(b"not a zip at all")
    words = overlay(checkout, "annotations: {source: no.zip}")
    ends_in_one_line(checkout, words, "annotations/rows.log", "no.zip")


def test_annotation_zip_with_a_malformed_file(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    with zipfile.ZipFile(checkout.folder / "bad.zip", "w") as archive:
        archive.writestr("annotations/pics_2020.json", json.dumps({"annotation": []}))
    words = overlay(checkout, "annotations: {source: bad.zip}")
    ends_in_one_line(checkout, words, "annotations/rows.log", "pics_2020.json")


def test_truncated_shard(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    tar = checkout.folder / "results/tiny/download/00000.tar"
    data = tar.read_bytes()
    tar.unlink()
    tar.write_bytes(data[: len(data) // 2])
    words = overlay(checkout, "recaption: {batch_size: 16}")
    ends_in_one_line(checkout, words, "recaption/00000.log", "wrong size in results/tiny/download/00000.tar")


def test_damaged_image(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    tar = checkout.folder / "results/tiny/download/00000.tar"
    rows = pq.read_table(Path(str(tar).replace(".tar", ".parquet"))).to_pylist()
    row = next(row for row in rows if row["state"] == "ok")
    data = bytearray(tar.read_bytes())
    data[row["offset"] : row["offset"] + row["bytes"]] = bytes(row["bytes"])
    tar.unlink()
    tar.write_bytes(data)
    words = overlay(checkout, "recaption: {batch_size: 16}")
    ends_in_one_line(checkout, words, "recaption/00000.log", "damaged image in results/tiny/download/00000.tar")
