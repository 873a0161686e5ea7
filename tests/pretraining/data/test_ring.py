"""Loader processes change no byte, and a run ends at once when one of them fails or is killed."""

import gc
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.batch import Batch
from workflow_scripts.pretraining.data import ring
from workflow_scripts.pretraining.data.loader import Batches, CutBatch, Order
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.data.process import Slots, share, shared
from workflow_scripts.pretraining.data.ring import load, loader_processes
from workflow_scripts.pretraining.method import View

STEPS = range(3, 12)


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    """Eight pairs a step, of images with up to three partners, in three views."""
    targets = np.random.default_rng(0).integers(0, 24, 48)
    pairing = Pairing(np.arange(24), np.arange(0, 49, 2), targets)
    names = {"source": "simclr", "partner": "crop"}
    views = [(View(image), AUGMENTATIONS[name]) for image, name in names.items()]
    views.append((View("source"), AUGMENTATIONS["none"]))
    labels = {"labels": lambda positions: torch.from_numpy(positions)}
    return Batches(images(tmp_path), False, pairing, Order(24, 8, 0), views, 20, 0, learned=labels)


def finish(batch: CutBatch) -> Batch:
    return batch.finish()


def alike(one: Batch, two: Batch) -> bool:
    views = all(torch.equal(*pair) for pair in zip(one.views, two.views, strict=True))
    return views and one.step == two.step and torch.equal(one.labels, two.labels)


@pytest.mark.parametrize(("processes", "workers", "readers"), [(1, 1, 1), (3, 4, 2)])
def test_no_byte_depends_on_processes_threads_and_readers(
    batches: Batches, processes: int, workers: int, readers: int
) -> None:
    expected = list(load(batches, finish, STEPS, processes=0, workers=1))
    assert [batch.step for batch in expected] == list(STEPS)
    made = replace(batches, readers=readers)
    for steps in (STEPS, range(9, 12)):  # the second time resumed
        found = list(load(made, finish, steps, processes, workers))
        assert len(found) == len(steps) and all(map(alike, found, expected[-len(steps) :]))


def test_the_parts_of_all_processes_form_the_whole_batch(batches: Batches) -> None:
    whole = next(load(batches, finish, STEPS, 0, 1))
    parts = [next(load(replace(batches, part=(rank, 2)), finish, STEPS, 2, 1)) for rank in (0, 1)]
    for i in range(3):
        torch.testing.assert_close(torch.cat([part.views[i] for part in parts]), whole.views[i], rtol=1e-5, atol=1e-5)


def test_a_killed_process_ends_the_run_at_the_next_step(batches: Batches, started: list[ForkServerProcess]) -> None:
    made = load(batches, finish, range(1, 1000), processes=2, workers=2)
    next(made)
    os.kill(started[1].pid, signal.SIGKILL)
    with pytest.raises(PipelineError, match="a loader process died in pretrain: by signal 9"):
        list(made)
    assert [process.exitcode for process in started] == [-9, -9]  # the other one was ended too


def test_loaders_ignore_the_signals_that_stop_a_training(batches: Batches, started: list[ForkServerProcess]) -> None:
    """A cluster sends them to all processes of a job, and the training still finishes its step."""
    made = load(batches, finish, STEPS, processes=1, workers=1)
    next(made)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        os.kill(started[0].pid, number)
    assert len(list(made)) == len(STEPS) - 1


def test_rings_leave_no_process_or_descriptor_even_if_starting_fails(
    batches: Batches, started: list[ForkServerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    def descriptors() -> int:
        gc.collect()  # memory is unmapped with its last array
        return sum("memfd" in os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())

    before = descriptors()
    list(load(batches, finish, STEPS, processes=1, workers=1))
    assert descriptors() == before
    monkeypatch.setattr(Batches, "drawn", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(load(batches, finish, STEPS, processes=1, workers=1))
    assert [process.exitcode for process in started] == [-9, -9]


def test_an_error_in_a_process_is_the_error_of_the_run(batches: Batches) -> None:
    with batches.images.tars[0].open("r+b") as file:
        file.seek(int(batches.images.offset[5]) + 40)
        file.write(b"other")
    with pytest.raises(PipelineError, match=r"damaged image in .*images\.tar: row 5") as found:
        list(load(batches, finish, STEPS, processes=2, workers=2))
    assert "sha256" in found.value.value
    batches.images.tars[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"images\.tar"):
        list(load(batches, finish, STEPS, processes=1, workers=1))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ForkServerProcess]:
    """The loader processes that are started."""
    found: list[ForkServerProcess] = []
    start: Callable[..., list[ring.Worker]] = ring._start

    def watched(*arguments: object) -> list[ring.Worker]:
        workers = start(*arguments)
        found.extend(worker.process for worker in workers)
        return workers

    monkeypatch.setattr(ring, "_start", watched)
    return found


def test_arrays_are_shared_and_all_else_is_copied() -> None:
    arrays = [np.arange(1000), np.zeros((0, 3)), np.arange(12, dtype=np.uint8).reshape(3, 4).T]
    handle = share(("text", arrays))
    assert len(pickle.dumps(handle.about)) < 2000  # the arrays are elsewhere
    text, found = shared(handle)
    assert text == "text"
    for one, two in zip(found, arrays, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    assert not found[0].flags.writeable


def test_slots_are_a_single_page_aligned_block() -> None:
    slots = Slots(3, (2, 4, 5, 5, 3))
    assert slots.pixels.is_contiguous() and slots.pixels.data_ptr() % 4096 == 0
    slots.pixels.fill_(7)
    slots.uniform[:] = 0.5
    again = Slots(3, (2, 4, 5, 5, 3), slots.handle)
    assert bool((again.pixels == 7).all()) and (again.uniform == 0.5).all() and again.uniform.shape[:3] == (3, 2, 4)


@pytest.mark.parametrize(
    ("given", "workers", "kept", "expected"),
    [(None, 8, False, 8), (None, 1, False, 0), (None, 8, True, 0), (3, 1, True, 3), (0, 8, False, 0)],
)
def test_the_number_of_loader_processes(given: int | None, workers: int, kept: bool, expected: int) -> None:
    assert loader_processes(given, workers, kept) == expected
