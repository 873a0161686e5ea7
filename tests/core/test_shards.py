"""Reading images of shards from a disk or file server that fails."""

import errno
import os
from copy import copy
from pathlib import Path

import pyarrow as pa
import pytest

from tests.file_bytes import parquet
from tests.helpers import hex_hashes, make_artifact, tar_images
from workflow_scripts.core import shards
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.files import patience
from workflow_scripts.core.files.storage_errors import storage_error
from workflow_scripts.core.shards import TarImages, shard_images

BLOBS = [b"first", b"second image"]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TarImages:
    """Two images in a file; waits take no time."""
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    return tar_images(tmp_path / "0.tar", BLOBS)


def _fail(monkeypatch: pytest.MonkeyPatch, call: str, number: int, times: int) -> list[int]:
    """Make the first calls of ``os.<call>`` fail; the descriptors or paths that they were called with."""
    real, seen = getattr(os, call), []

    def failing(what: int, *rest: int) -> object:
        seen.append(what)
        if len(seen) <= times:
            raise OSError(number, os.strerror(number))
        return real(what, *rest)

    monkeypatch.setattr(shards.os, call, failing)
    return seen


@pytest.mark.parametrize("number", sorted(patience.PASSING))
@pytest.mark.parametrize("call", ["open", "pread"])
def test_an_error_that_passes_changes_no_bytes(
    images: TarImages, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    seen = _fail(monkeypatch, call, number, 2)
    assert [images.bytes(row) for row in (0, 1)] == BLOBS
    assert len(seen) == (3 if call == "open" else 4)


def test_a_stale_file_is_opened_again(images: TarImages, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.bytes(0) == BLOBS[0]
    seen = _fail(monkeypatch, "pread", errno.ESTALE, 1)
    assert images.bytes(1) == BLOBS[1]
    first, second = seen
    assert first != second


def test_files_that_were_opened_again_are_closed_with_the_images(
    images: TarImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = copy(images)
    seen = _fail(monkeypatch, "pread", errno.ESTALE, 1)
    own.bytes(0)
    del own
    for descriptor in set(seen):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize("number", sorted(patience.PASSING))
def test_a_persistent_read_error_is_reported_as_a_storage_error(
    images: TarImages, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _fail(monkeypatch, "pread", number, 99)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        images.image(0)
    error = storage_error(caught.value, "pretrain", ())
    assert str(error).startswith(f"storage error of pretrain in {images.tars[0]}: {os.strerror(number)};")


def test_rows_without_an_image_are_left_out_and_counted(results: Path) -> None:
    names = {"key": ["a", "b", "c", "d"], "offset": [0, 0, 0, 5], "bytes": [5, 0, 0, 12]}
    hashes = [hex_hashes(BLOBS)[0], None, None, hex_hashes(BLOBS)[1]]
    table = pa.table({**names, "sha256": hashes, "state": ["ok", "gone", "http 404", "ok"]})
    files = {".parquet": parquet(table), ".tar": b"".join(BLOBS)}
    shard = Artifact(make_artifact(results, "download", "00000", files))
    images, rows, lost = shard_images(shard, ["key", "offset", "bytes", "sha256"])
    assert [images.bytes(row) for row in (0, 1)] == BLOBS
    assert rows["key"].to_pylist() == ["a", "d"] and lost == 2
