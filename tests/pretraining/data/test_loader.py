from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS, Augmentation
from workflow_scripts.pretraining.batch import Batch
from workflow_scripts.pretraining.data.loader import Batches, Order
from workflow_scripts.pretraining.data.pairing import Pairing, with_itself
from workflow_scripts.pretraining.method import TWO_VIEWS, View


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
    return made.cut(step).finish()


def test_labels_and_weights_are_those_of_the_source_images(tmp_path) -> None:
    values = torch.tensor([7, 5, 6, 4])
    learned = {"labels": lambda positions: values[positions], "weights": lambda positions: values[positions] / 2}
    parts = [replace(batches(tmp_path, part=(i, 2)), learned=learned) for i in (0, 1)]
    expected = values[parts[0].order.positions(3)]
    made = [finished(part, 3) for part in parts]
    assert torch.equal(torch.cat([batch.labels for batch in made]), expected)
    assert torch.equal(torch.cat([batch.weights for batch in made]), expected / 2)
    assert [batch.tokens for batch in made] == [None, None]


def test_each_view_has_its_image_augmentation_and_randomness(tmp_path) -> None:
    """A view's randomness is that of its number, so an additional view leaves those before it as they are."""
    made = batches(tmp_path)
    third = replace(made, views=[*made.views, (View("source"), AUGMENTATIONS["none"])]).cut(1)
    before = made.cut(1)
    assert torch.equal(before.pixels, third.pixels[:2])
    for one, two in zip(before.changes, third.changes[:2], strict=True):
        assert all(torch.equal(*pair) for pair in zip(one.numbers, two.numbers, strict=True))
    sources = replace(made, views=[(View("source"), AUGMENTATIONS["none"])]).cut(1)
    assert torch.equal(third.pixels[2], sources.pixels[0])
    assert third.changes[2] is None


def test_the_two_views_show_source_and_partner(tmp_path) -> None:
    made = batches(tmp_path)
    plain = replace(made, views=two_views("none"), size=28)
    first, second = plain.cut(1).pixels.permute(0, 1, 4, 2, 3)
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
    own = replace(made, pairing=with_itself(10), order=Order(10, 4, 0), views=two_views("crop"))
    first, second = own.cut(1).pixels
    assert not torch.equal(first, second)


@pytest.mark.parametrize("keep", [True, False])
def test_each_image_of_a_step_is_decoded_once(tmp_path, monkeypatch, keep: bool) -> None:
    """Also where both views of a pair, or several pairs, show it."""
    made = replace(batches(tmp_path, keep), pairing=with_itself(10), order=Order(10, 10, 0))
    calls = []
    decoded = made.images.decoded
    monkeypatch.setattr(made.images, "decoded", lambda row, *rest: calls.append(row) or decoded(row, *rest))
    for step in (1, 2):
        made.cut(step)
    assert sorted(calls) == sorted([*range(10)] * (1 if keep else 2))
