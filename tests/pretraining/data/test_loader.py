import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.loader import Batches, Decoded, Order, View, prefetch
from workflow_scripts.pretraining.data.pairing import Pairing, with_itself


def test_an_epoch_shows_every_row_at_most_once_and_all_but_the_rest() -> None:
    order = Order(23, 5, 0)
    epochs = [np.concatenate([order.positions(4 * epoch + i) for i in (1, 2, 3, 4)]) for epoch in range(3)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 20
        assert epoch.min() >= 0 and epoch.max() < 23
    assert not np.array_equal(epochs[0], epochs[1])


def test_a_step_is_the_same_whatever_was_asked_before() -> None:
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
    return Batches(Decoded(images(folder, 10), keep), pairing, Order(4, 4, 0), AUGMENTATIONS["simclr"], 20, 0, part)


def test_parts_of_processes_are_the_whole_batch(tmp_path) -> None:
    whole = batches(tmp_path).finish(batches(tmp_path).sides(2), torch.device("cpu"))
    parts = [batches(tmp_path, part=(i, 2)) for i in (0, 1)]
    sides = [part.finish(part.sides(2), torch.device("cpu")) for part in parts]
    for i in (0, 1):
        torch.testing.assert_close(torch.cat([sides[0][i], sides[1][i]]), whole[i], rtol=1e-5, atol=1e-5)


def test_labels_are_those_of_the_sources(tmp_path) -> None:
    made = [replace(batches(tmp_path, part=(i, 2)), labels=np.array([7, 5, 6, 4])) for i in (0, 1)]
    labels = torch.cat([part.finish(part.sides(3), torch.device("cpu"))[2] for part in made])
    assert labels.tolist() == np.array([7, 5, 6, 4])[made[0].order.positions(3)].tolist()


def test_sides_are_source_and_partner(tmp_path) -> None:
    made = batches(tmp_path)
    plain = Batches(made.images, made.pairing, made.order, AUGMENTATIONS["none"], 28, 0)
    first, second = plain.sides(1)
    assert isinstance(second, View)
    partners = {1: {2}, 3: {2}, 5: {0, 9}, 8: {7}}
    for i, position in enumerate(made.order.positions(1)):
        source = int(made.pairing.sources[position])
        assert torch.equal(first.pixels[i], cropped(made.images[source]))
        assert any(torch.equal(second.pixels[i], cropped(made.images[target])) for target in partners[source])


def cropped(image: torch.Tensor) -> torch.Tensor:
    spare = image.shape[2] - 28
    return image[:, :, spare // 2 : spare // 2 + 28] if spare != 1 else image[:, :, :28]


def test_views_of_self_pairs_differ(tmp_path) -> None:
    made = batches(tmp_path)
    own = Batches(made.images, with_itself(10), Order(10, 4, 0), AUGMENTATIONS["crop"], 20, 0)
    first, second = own.sides(1)
    assert isinstance(second, View)
    assert not torch.equal(first.pixels, second.pixels)


def test_memory_of_decoded_images_changes_no_byte_and_saves_decoding(tmp_path, monkeypatch) -> None:
    kept, fresh = batches(tmp_path, True), batches(tmp_path, False)
    for step in (1, 2, 3):
        for one, two in zip(kept.sides(step), fresh.sides(step), strict=True):
            assert torch.equal(one.pixels, two.pixels)
    shown = images(tmp_path, 3)
    calls = []
    monkeypatch.setattr(shown, "image", lambda row, real=shown.image: calls.append(row) or real(row))
    for keep, expected in ((True, 1), (False, 4)):
        calls.clear()
        decoded = Decoded(shown, keep)
        for _ in range(4):
            _ = decoded[2]
        assert len(calls) == expected


def test_prefetch_keeps_order_and_makes_a_bounded_number_ahead() -> None:
    started, lock = [], threading.Lock()

    def make(step: int) -> int:
        with lock:
            started.append(step)
        time.sleep(0.001 * (step % 3))
        return step * step

    taken = prefetch(make, range(3, 40), 4)
    assert next(taken) == 9
    time.sleep(0.05)
    assert len(started) <= 6
    assert list(taken) == [step * step for step in range(4, 40)]
    assert list(prefetch(make, range(5, 5), 2)) == []


def test_prefetch_passes_errors_on_and_stops_its_threads() -> None:
    def make(step: int) -> int:
        if step == 3:
            raise PipelineError("corrupt image", "a tar", step, "fetch it again")
        return step

    made = []
    with pytest.raises(PipelineError, match="corrupt image"):
        for value in prefetch(make, range(10), 2):
            made.append(value)
    assert made == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batch")]
