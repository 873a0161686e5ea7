"""Images that are read in blocks are those that are read one by one, and each block is read once."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.failing_reads import failing_reads
from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.faults import patience
from workflow_scripts.pretraining.data.pair_shards.block_images import BlockImages, in_blocks
from workflow_scripts.pretraining.data.ring.memory import share, shared

BLOCKS = np.repeat(np.arange(6), 4)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Size and offset of each read."""
    made: list[tuple[int, int]] = []
    real = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        made.append((size, offset))
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    return made


def test_the_same_images_by_one_read_per_block(tmp_path: Path, reads: list[tuple[int, int]]) -> None:
    plain = images(tmp_path)
    expected = [plain.bytes(row) for row in range(24)]
    reads.clear()
    read = BlockImages(plain, BLOCKS, 6)
    assert [read.bytes(row) for row in range(24)] == expected
    starts, ends = plain.offset[::4], plain.offset[3::4] + plain.size[3::4]
    assert reads == [(int(end - start), int(start)) for start, end in zip(starts, ends, strict=True)]
    assert [read.bytes(row) for row in (23, 0)] == [expected[23], expected[0]] and len(reads) == 6
    np.testing.assert_array_equal(read.pixels(5), plain.pixels(5))


def test_blocks_used_last_are_kept(tmp_path: Path, reads: list[tuple[int, int]]) -> None:
    read = BlockImages(images(tmp_path), BLOCKS, 2)
    for row in (0, 4, 1, 8):  # blocks 0, 1, 0, 2: block 1 makes room
        read.bytes(row)
    assert len(reads) == 3
    read.bytes(2)
    read.bytes(9)
    assert len(reads) == 3
    read.bytes(5)
    assert len(reads) == 4


def test_threads_wait_for_one_read_of_a_block(tmp_path: Path, reads: list[tuple[int, int]]) -> None:
    plain = images(tmp_path)
    read = shared(share(BlockImages(plain, BLOCKS, 6)))  # as a loader process gets them
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read.bytes, [*range(24), *range(24)]))
    assert len(reads) == 6
    assert found == 2 * [plain.bytes(row) for row in range(24)]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_reads_that_fail_once_are_repeated_and_others_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    plain = images(tmp_path)
    expected = plain.bytes(1)
    left = failing_reads(monkeypatch, number)
    left[0] = 1
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    read = BlockImages(plain, BLOCKS, 6)
    assert read.bytes(1) == expected and left[0] < 0
    left[0] = 99
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        read.bytes(23)
    assert caught.value.filename == str(plain.tars[0])
    left[0] = 0
    assert len(read.bytes(23)) == plain.size[23], "a block that could not be read is read again"


def test_damage_and_truncation_are_named(tmp_path: Path) -> None:
    plain = images(tmp_path)
    path = plain.tars[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(plain.offset[23]) + 5])
    with pytest.raises(PipelineError, match=r"truncated shard in .*5 of \d+ bytes at offset"):
        BlockImages(plain, BLOCKS, 6).bytes(23)
    at = int(plain.offset[6]) + 40
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    read = BlockImages(plain, BLOCKS, 6)
    assert len(read.bytes(5)) == plain.size[5]
    with pytest.raises(PipelineError, match=r"damaged image in .*row 6"):
        read.bytes(6)


def test_memory_is_divided_among_processes(tmp_path: Path) -> None:
    plain = images(tmp_path)
    assert in_blocks(plain, None, 3) is plain
    kept = [
        read.kept for processes in (1, 4, 32) if isinstance(read := in_blocks(plain, BLOCKS, processes), BlockImages)
    ]
    assert kept == [100, 28, 7]
