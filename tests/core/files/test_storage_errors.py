"""Errors of disks, as Python and as libraries tell them."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.workflow.full_disk import small_disk
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import storage_errors
from workflow_scripts.core.files.storage_errors import ADVICE, OF_DISKS, full_disk, storage_error


@pytest.mark.parametrize("number", sorted(ADVICE))
def test_each_errno_has_specific_advice_and_names_the_file(number: int) -> None:
    known = storage_error(OSError(number, os.strerror(number), "results/a.npy"), "features", ())
    assert known is not None
    assert known.where == "results/a.npy"
    assert str(known).startswith(f"storage error of features in results/a.npy: {os.strerror(number)}")
    assert str(known).endswith(ADVICE[number]) and "run the same command again" in str(known)


def test_the_storage_error_behind_other_exceptions_is_found() -> None:
    try:
        try:
            raise OSError(errno.EIO, "Input/output error", "results/a.tar")
        except OSError as error:
            raise RuntimeError("worker died") from error
    except RuntimeError as error:
        known = storage_error(error, "pretrain", (Path("results/run"),))
    assert known is not None and known.where == "results/a.tar"


@pytest.mark.parametrize("number", sorted(OF_DISKS))
def test_a_failing_disk_is_not_reported_as_a_damaged_file(number: int) -> None:
    try:
        try:
            raise OSError(number, os.strerror(number))
        except OSError:
            raise PipelineError("corrupt image", "results/a.tar", "row 3", "recompute it") from None
    except PipelineError as error:
        known = storage_error(error, "features", ())
    assert known is not None and known.where == "results/a.tar" and os.strerror(number) in str(known)


def test_other_errors_are_not_storage_errors() -> None:
    assert storage_error(PipelineError("a", "b", "c", "d"), "features", ()) is None
    assert storage_error(ValueError("12 requested"), "features", ()) is None
    try:
        try:
            raise PermissionError(errno.EACCES, "Permission denied", "data/model")
        except PermissionError:
            raise PipelineError("unreadable model", "data/model", "no permission", "chmod it") from None
    except PipelineError as error:
        assert storage_error(error, "recaption", ()) is None


def test_other_errnos_get_general_advice_and_the_file() -> None:
    known = storage_error(IsADirectoryError(errno.EISDIR, "Is a directory", "results/x"), "features", ())
    assert known is not None and known.where == "results/x" and "check the file and its folder" in str(known)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk without room for what the tests write."""
    try:
        with small_disk(tmp_path, 64 * 1024):
            yield tmp_path
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(str(error))


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk")
@pytest.mark.parametrize("library", ["python", "numpy", "safetensors", "parquet", "pillow"])
def test_full_disk_errors_of_libraries_are_recognised(library: str, full: Path) -> None:
    noise, file = np.random.default_rng(0).integers(0, 255, 1 << 20, np.uint8), full / "file"
    with pytest.raises(Exception) as caught:
        if library == "python":
            file.write_bytes(noise.tobytes())
        elif library == "numpy":
            np.save(file.open("wb"), noise)
        elif library == "safetensors":
            save_file({"a": noise}, file)
        elif library == "parquet":
            pq.write_table(pa.table({"a": noise}), file)
        else:
            Image.fromarray(noise.reshape(1024, 1024)).save(file, "PNG")
    known = storage_error(caught.value, "features", (full,))
    assert known is not None, repr(caught.value)
    assert "No space left on device" in str(known) and "free space" in str(known)
    assert str(known.where).startswith(str(full))


def test_an_empty_log_is_explained_where_its_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert full_disk(tmp_path / "a.log") is None
    monkeypatch.setattr(storage_errors, "_free", lambda path: 1_500_000)
    assert full_disk(tmp_path / "a.log") is None
    monkeypatch.setattr(storage_errors, "_free", lambda path: 510_000)
    assert "No space left on device, 0.5 MB left" in str(full_disk(tmp_path / "a.log"))
