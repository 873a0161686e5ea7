"""Inputs are verified when they are first used, and a change after that is found."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import hashes, hex_hashes, make_artifact, tar_images
from workflow_scripts.core import inputs
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages, hash_column

RIGHT, WRONG = b"right bytes", b"wrong bytes"
OLD = 10**18  # ns since 1970: long ago
IMAGES = [b"first image", b"other image", b"third image"]


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    inputs.clear_inputs()
    yield
    inputs.clear_inputs()


@pytest.fixture
def made(results: Path) -> Artifact:
    return Artifact(make_artifact(results, "some_stage", "one", {".txt": RIGHT, "/inner.txt": b"inner"}))


def overwrite(path: Path, data: bytes, mtime: int | None = None) -> None:
    """Write in place; the last write seems to have been at ``mtime``, by default when it was before."""
    before = path.stat().st_mtime_ns
    with open(path, "r+b") as stream:
        stream.write(data)
    os.utime(path, ns=(OLD, before if mtime is None else mtime))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    hash_of = inputs.file_hash
    monkeypatch.setattr(inputs, "file_hash", lambda path: names.append(path.name) or hash_of(path))
    return names


def test_a_file_is_hashed_once_per_process(made: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MARGIN", 0)
    names = counted(monkeypatch)
    assert made.path(".txt").read_bytes() == RIGHT
    made.path(".txt")
    inputs.check_unchanged()
    assert names == ["one.txt"]
    os.link(made.path(".txt"), made.path(".txt").with_name("link"))  # as another study that shares the file does
    inputs.check_unchanged()
    inputs.check_unchanged()
    assert names == ["one.txt", "one.txt"]


def test_a_file_modified_just_now_is_hashed_again(made: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes within one step of the file system's clock leave the same times."""
    names = counted(monkeypatch)
    made.path(".txt")
    inputs.check_unchanged()
    assert names == ["one.txt", "one.txt"]


def test_wrong_bytes_are_refused_with_what_to_do(made: Artifact) -> None:
    overwrite(made.manifest_path.with_name("one.txt"), WRONG)
    with pytest.raises(PipelineError) as caught:
        made.path(".txt")
    found, recorded = hex_hashes([WRONG, RIGHT])
    assert caught.value.value == f"sha256 is {found} instead of the recorded {recorded}"
    assert caught.value.advice.endswith(f"snakemake --force {made.manifest_path}")
    assert made.path("/inner.txt").read_bytes() == b"inner"


@pytest.mark.parametrize("margin", [0, inputs.MARGIN])
def test_a_later_edit_is_detected_even_if_times_are_set_back(
    made: Artifact, margin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MARGIN", margin)
    overwrite(made.path(".txt"), WRONG)
    for look in (inputs.check_unchanged, lambda: made.path(".txt"), inputs.settle):
        with pytest.raises(PipelineError, match="damaged input"):
            look()


def test_an_undone_edit_of_an_input_is_detected(made: Artifact) -> None:
    path = made.path(".txt")
    overwrite(path, WRONG)
    overwrite(path, RIGHT, OLD)
    with pytest.raises(PipelineError, match="input changed during use"):
        inputs.check_unchanged()


def test_a_removed_or_irregular_input_is_an_error(made: Artifact) -> None:
    path = made.path(".txt")
    path.unlink()
    with pytest.raises(PipelineError, match="missing input"):
        inputs.check_unchanged()
    os.mkfifo(path)
    with pytest.raises(PipelineError, match="input is not a regular file"):
        inputs.check_unchanged()


def test_settled_inputs_may_change(made: Artifact) -> None:
    path = made.path(".txt")
    inputs.settle()
    overwrite(path, WRONG)
    inputs.check_unchanged()
    with pytest.raises(PipelineError, match="damaged input"):
        made.path(".txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": {"/../../x": {"sha256": "", "bytes": 1}}}, "unsafe file suffix"),
        ({"files": {".txt": {"bytes": 1}}}, "its files..txt.sha256: Field required"),
        ([], "not a JSON object"),
    ],
)
def test_malformed_manifests_are_rejected(made: Artifact, change: object, message: str) -> None:
    whole = {**made.manifest, **change} if isinstance(change, dict) else change
    made.manifest_path.write_text(json.dumps(whole))
    with pytest.raises(PipelineError, match=message):
        Artifact(made.manifest_path)


@pytest.fixture
def images(tmp_path: Path) -> TarImages:
    return tar_images(tmp_path / "00000.tar", IMAGES)


@pytest.mark.parametrize("margin", [0, inputs.MARGIN])
def test_an_image_is_verified_at_its_first_read_and_after_a_change(
    images: TarImages, margin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MARGIN", margin)
    data = b"".join(IMAGES)
    for _ in range(2):
        assert [images.bytes(row) for row in range(3)] == IMAGES
    overwrite(images.tars[0], data.replace(b"other", b"OTHER"))
    assert images.bytes(0) == IMAGES[0]
    for one in (images, copy.copy(images)):
        with pytest.raises(PipelineError, match=r"damaged image in .*00000.tar: row 1, offset 11: sha256 begins with"):
            one.bytes(1)
    overwrite(images.tars[0], data)
    assert images.bytes(1) == IMAGES[1]


def test_a_tar_replaced_after_opening_is_read_as_opened(images: TarImages) -> None:
    images.bytes(0)
    other = images.tars[0].with_name("other")
    other.write_bytes(b"".join(reversed(IMAGES)))
    os.replace(other, images.tars[0])
    assert images.bytes(0) == IMAGES[0]


@settings(deadline=None)
@given(st.lists(st.lists(st.none() | st.binary(max_size=3), max_size=4), max_size=4), st.integers(0, 3))
def test_hashes_of_a_column(chunks: list[list[bytes | None]], skipped: int) -> None:
    texts = [[None if one is None else hex_hashes([one])[0] for one in chunk] for chunk in chunks]
    column = pa.chunked_array(texts, pa.string()).slice(skipped)
    flat = [one for chunk in chunks for one in chunk][skipped:]
    expected = [bytes(16) if one is None else hashes([one]).tobytes() for one in flat]
    assert [row.tobytes() for row in hash_column(column)] == expected
