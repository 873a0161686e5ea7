import multiprocessing
import os
import signal
import time
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from tests.pretraining.shapes import SMALL, images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS, Augmentation
from workflow_scripts.pretraining.data.loader import Batches, CutBatch, Order, load
from workflow_scripts.pretraining.data.pairing import Pairing, with_itself
from workflow_scripts.pretraining.method import TWO_VIEWS, View
from workflow_scripts.pretraining.network import Batch
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.pretraining.training.trainer import fitting

STEPS = range(3, 12)


def test_an_epoch_shows_every_row_at_most_once_and_all_but_the_rest() -> None:
    order = Order(23, 5, 0)
    epochs = [np.concatenate([order.positions(4 * epoch + i) for i in (1, 2, 3, 4)]) for epoch in range(3)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 20
        assert epoch.min() >= 0 and epoch.max() < 23
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_order_of_a_step_does_not_depend_on_earlier_requests() -> None:
    walked = Order(23, 5, 0)
    steps = [walked.positions(step) for step in range(1, 40)]
    for step in (39, 1, 17):
        np.testing.assert_array_equal(Order(23, 5, 0).positions(step), steps[step - 1])
    assert not np.array_equal(Order(23, 5, 1).positions(1), steps[0])


def test_fewer_rows_than_a_batch_is_an_error() -> None:
    with pytest.raises(PipelineError, match="batch_size is 8, but 7 images"):
        Order(7, 8, 0)


def batches(folder, keep: bool = True, part: tuple[int, int] = (0, 1)) -> Batches:
    pairing = Pairing(np.array([1, 3, 5, 8]), np.array([0, 1, 2, 4, 5]), np.array([2, 2, 0, 9, 7]))
    return Batches(images(folder, 10), keep, pairing, Order(4, 4, 0), two_views("simclr"), 20, 0, part)


def two_views(augmentation: str) -> list[tuple[View, Augmentation]]:
    return [(view, AUGMENTATIONS[augmentation]) for view in TWO_VIEWS]


def finished(made: Batches, step: int) -> Batch:
    return made[step].finish()


def test_labels_and_weights_are_those_of_the_source_images(tmp_path) -> None:
    values = np.array([7, 5, 6, 4])
    learned = {"labels": values, "weights": values / 2}
    parts = [replace(batches(tmp_path, part=(i, 2)), learned=learned) for i in (0, 1)]
    expected = torch.from_numpy(values[parts[0].order.positions(3)])
    made = [finished(part, 3) for part in parts]
    assert torch.equal(torch.cat([batch.labels for batch in made]), expected)
    assert torch.equal(torch.cat([batch.weights for batch in made]), expected / 2)
    assert [batch.tokens for batch in made] == [None, None]


def test_each_view_has_its_image_augmentation_and_randomness(tmp_path) -> None:
    """A view's randomness is that of its number, so an additional view leaves those before it as they are."""
    made = batches(tmp_path)
    third = replace(made, views=[*made.views, (View("source"), AUGMENTATIONS["none"])])[1]
    before = made[1]
    assert torch.equal(before.pixels, third.pixels[:2])
    for leaves in zip(tree_leaves(list(before.changes)), tree_leaves(list(third.changes[:2])), strict=True):
        np.testing.assert_array_equal(*leaves)
    sources = replace(made, views=[(View("source"), AUGMENTATIONS["none"])])[1]
    assert torch.equal(third.pixels[2], sources.pixels[0])
    assert third.changes[2] is None


def test_the_two_views_show_source_and_partner(tmp_path) -> None:
    made = batches(tmp_path)
    plain = replace(made, views=two_views("none"), size=28)
    first, second = plain[1].pixels.permute(0, 1, 4, 2, 3)
    partners = {1: {2}, 3: {2}, 5: {0, 9}, 8: {7}}
    for i, position in enumerate(made.order.positions(1)):
        source = int(made.pairing.sources[position])
        assert torch.equal(first[i], cropped(made, source))
        assert any(torch.equal(second[i], cropped(made, target)) for target in partners[source])


def cropped(made: Batches, row: int) -> torch.Tensor:
    image = torch.from_numpy(made.images.pixels(row)).permute(2, 0, 1)
    spare = image.shape[2] - 28
    return image[:, :, spare // 2 : spare // 2 + 28] if spare != 1 else image[:, :, :28]


def test_views_of_self_pairs_differ(tmp_path) -> None:
    made = batches(tmp_path)
    own = replace(made, pairing=with_itself(np.arange(10)), order=Order(10, 4, 0), views=two_views("crop"))
    first, second = own[1].pixels
    assert not torch.equal(first, second)


@pytest.mark.parametrize("keep", [True, False])
def test_each_image_of_a_step_is_decoded_once(tmp_path, monkeypatch, keep: bool) -> None:
    """Also where both views of a pair, or several pairs, show it."""
    made = replace(batches(tmp_path, keep), pairing=with_itself(np.arange(10)), order=Order(10, 10, 0))
    calls = []
    decoded = made.images.decoded
    monkeypatch.setattr(made.images, "decoded", lambda row, *rest: calls.append(row) or decoded(row, *rest))
    for step in (1, 2):
        made[step]
    assert sorted(calls) == sorted([*range(10)] * (1 if keep else 2))


@pytest.fixture
def several(tmp_path: Path) -> Batches:
    """Eight pairs a step, of images with up to three partners, in three views."""
    targets = np.random.default_rng(0).integers(0, 24, 48)
    pairing = Pairing(np.arange(24), np.arange(0, 49, 2), targets)
    names = {"source": "simclr", "partner": "crop"}
    views = [(View(image), AUGMENTATIONS[name]) for image, name in names.items()]
    views.append((View("source"), AUGMENTATIONS["none"]))
    labels = {"labels": np.arange(24)}
    return Batches(images(tmp_path), False, pairing, Order(24, 8, 0), views, 20, 0, learned=labels)


def alike(one: CutBatch, two: CutBatch) -> bool:
    first, second = one.finish(), two.finish()
    views = all(torch.equal(*pair) for pair in zip(first.views, second.views, strict=True))
    return views and first.step == second.step and torch.equal(first.labels, second.labels)


def test_no_byte_depends_on_processes_and_threads(several: Batches) -> None:
    expected = list(load(several, STEPS, workers=1))
    assert [batch.step for batch in expected] == list(STEPS)
    for made, workers in ((several, 2), (replace(several, keep=True), 3)):
        for steps in (STEPS, range(9, 12)):  # the second time resumed
            found = list(load(made, steps, workers))
            assert len(found) == len(steps) and all(map(alike, found, expected[-len(steps) :]))


def test_the_parts_of_all_processes_form_the_whole_batch(several: Batches) -> None:
    whole = next(load(several, STEPS, 1)).pixels
    parts = [next(load(replace(several, part=(rank, 2)), STEPS, 2)).pixels for rank in (0, 1)]
    assert torch.equal(torch.cat(parts, 1), whole)


def test_a_killed_process_ends_the_run(several: Batches) -> None:
    made = load(several, range(1, 1000), workers=2)
    next(made)
    with (
        pytest.raises(PipelineError, match=r"a loader process died in pretrain: DataLoader worker \(pid"),
        fitting(Pretrain.model_validate(SMALL)),
        closing(made),
    ):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)  # what follows may be interrupted anywhere
        list(made)
    assert not multiprocessing.active_children()


def interrupted(made: Batches, pids: Connection) -> None:
    """Load batches larger than a pipe, and never take the second one."""
    made = replace(made, learned={"weights": np.broadcast_to(np.zeros(2**20), (100, 2**20))})
    loaded = load(made, range(1, 1000), workers=2)
    next(loaded)
    pids.send([process.pid for process in multiprocessing.active_children()])
    signal.pause()


def test_loaders_end_with_a_training_that_is_killed(several: Batches) -> None:
    """Else they would wait for ever to send a batch, keep its memory and ignore SIGTERM."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    training = context.Process(target=interrupted, args=(several, theirs))
    training.start()
    assert ours.poll(60)
    pids = ours.recv()
    training.kill()
    training.join()
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_loaders_ignore_the_signals_that_stop_a_training(several: Batches) -> None:
    """A cluster sends them to all processes of a job, and the training still finishes its step."""
    made = load(several, STEPS, workers=2)
    next(made)
    for process in multiprocessing.active_children():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(process.pid, number)
    assert len(list(made)) == len(STEPS) - 1
    made = load(several, STEPS, workers=2)
    next(made)
    made.close()
    assert not multiprocessing.active_children()


def test_an_error_in_a_process_is_the_error_of_the_run(several: Batches) -> None:
    with several.images.tars[0].open("r+b") as file:
        file.seek(int(several.images.offset[5]) + 40)
        file.write(b"other")
    with pytest.raises(PipelineError, match=r"damaged image in .*images\.tar: row 5") as found:
        list(load(several, STEPS, workers=2))
    assert "sha256" in found.value.value
    several.images.tars[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"images\.tar"):
        list(load(several, STEPS, workers=2))
    assert not multiprocessing.active_children()  # an error may live on, which would keep them
