"""Scores of captions: own and other images, standardising, resuming."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode

from tests.overlap import Overlap
from workflow_scripts.captions import scores
from workflow_scripts.captions.scores import Comparison, Reference, Scored, chosen, sampled, score_captions, styles
from workflow_scripts.core.images.reading import prepared

COUNT = 23


def numbered(cuts: Sequence[Sequence[int]], load: Callable[[list[Image.Image]], Any]) -> Iterator[Any]:
    """What is loaded of images whose red value is their row."""
    for cut in cuts:
        yield load([Image.new("RGB", (2, 2), (row, 0, 0)) for row in cut])


@dataclass
class Judge:
    """Scores image r and caption of length l by r + l / 1000 and by r * l; counts the images that it sees."""

    seen: list[int] = field(default_factory=list)

    def load(self, images: list[Image.Image]) -> list[int]:
        return [image.getpixel((0, 0))[0] for image in images]  # type: ignore[index]

    def prepare(self, loaded: list[int]) -> tuple[torch.Tensor, ...]:
        self.seen += loaded
        return (torch.tensor(loaded, dtype=torch.float32),)

    def read(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([float(len(text)) for text in texts])

    def scores(self, prepared: tuple[torch.Tensor, ...], read: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return prepared[0] + read / 1000, prepared[0] * read


KEYS = [f"k{row}" for row in range(COUNT)]
CAPTIONS = ["a" * (row % 5) for row in range(COUNT)]


def made(folder: Path, judge: Judge, arms: int = 1, others: int = 4, **options: Any) -> list[Any]:
    works = [folder / str(arm) for arm in range(arms)]
    for work in works:
        work.mkdir(parents=True, exist_ok=True)
    rows = np.arange(2, COUNT)
    captions = [[text + "b" * arm for text in CAPTIONS[2:]] for arm in range(arms)]
    scored = Scored(numbered, rows, KEYS[2:], captions, works)
    compared = Comparison(sampled(COUNT, 0), others, 0)
    load = options.get("load", lambda: judge)
    return score_captions(scored, compared, ("sum", "product"), options.get("batch", 4), load)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "BATCHES", 2)
    monkeypatch.setattr(scores, "SAMPLE", 7)


def test_captions_are_scored_against_their_image_and_random_images(tmp_path: Path) -> None:
    (table,) = made(tmp_path, Judge())
    assert table["key"].to_pylist() == KEYS[2:]
    sample = sampled(COUNT, 0)
    places = Comparison(sample, 4, 0).columns(KEYS[2:], np.arange(2, COUNT))
    for at, row in enumerate(table.to_pylist()):
        length, others = len(CAPTIONS[at + 2]), sample[places[at]]
        assert at + 2 not in others and len(set(others)) == 5
        if not length:
            assert {value for name, value in row.items() if name not in ("key", "text", "random_image")} == {None}
            continue
        assert row["sum"] == pytest.approx(at + 2 + length / 1000)
        assert row["product_random"] == others[0] * length
        rest = others[1:] * length
        assert row["product_centred"] == pytest.approx((at + 2) * length - rest.mean(), rel=1e-5, abs=1e-5)
        assert row["sum_centred"] == pytest.approx(at + 2 - others[1:].mean(), rel=1e-5, abs=1e-5)  # whatever it adds
        assert row["sum_random_centred"] == pytest.approx(others[0] - others[1:].mean(), rel=1e-5, abs=1e-5)
        halves = others[[1, 3]].mean() - others[[2, 4]].mean()
        assert row["sum_halves"] == pytest.approx(halves, rel=1e-5, abs=1e-5)
        assert row["product_halves"] == pytest.approx(halves * length, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("arms", [1, 3])
def test_scores_of_an_arm_do_not_depend_on_other_arms(tmp_path: Path, arms: int) -> None:
    judge = Judge()
    first = made(tmp_path, judge, arms)[0]
    assert first.equals(made(tmp_path / "alone", Judge())[0])
    assert len(judge.seen) == 7 + COUNT - 2, "each image is prepared once, whatever the number of arms"


def test_resumes_after_the_last_part(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", Judge(), 2)

    class Killed(Judge):
        def read(self, texts: Sequence[str]) -> torch.Tensor:
            if len(self.seen) > 7 + 12:
                raise KeyboardInterrupt
            return super().read(texts)

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, Killed(), 2)
    (tmp_path / "1" / "scores-0000000000.parquet").unlink()  # an arm that lacks more than the other
    judge = Judge()
    again = made(tmp_path, judge, 2)
    assert [one.equals(other) for one, other in zip(again, whole, strict=True)] == [True, True]
    assert sorted(judge.seen[7:]) == list(range(2, COUNT))
    made(tmp_path, judge, 2, load=lambda: pytest.fail("everything is there"))


def test_images_are_read_while_the_judge_works_on_any_part(tmp_path: Path) -> None:
    images: Any = Overlap(24, 2)

    class Busy(Judge):
        def prepare(self, loaded: list[int]) -> tuple[torch.Tensor, ...]:
            images.work()
            return super().prepare(loaded)

    shown = partial(prepared, images, workers=2)
    keys = [f"k{row}" for row in range(24)]
    scored = Scored(shown, np.arange(24), keys, [["x"] * 24], [tmp_path])
    judge = Busy()
    (table,) = score_captions(scored, Comparison(np.arange(0), 3, 0), ("sum", "product"), 2, lambda: judge)
    assert judge.seen == table["product"].to_pylist() == list(range(24))
    assert images.during == 22 and images.ahead <= 10  # all but those that the device waits for at first


def test_scores_of_a_batch_leave_the_device_at_once(tmp_path: Path) -> None:
    copies: list[torch.Size] = []

    class Watched(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.Tensor.cpu:
                copies.append(args[0].shape)
            return func(*args, **(kwargs or {}))

    with Watched():
        made(tmp_path, Judge(), arms=2)
    assert copies == [(6, 2, 4)] * 10 + [(6, 2, 1)] * 2  # per batch and arm: images, names, captions


def test_few_images_leave_scores_unknown(tmp_path: Path) -> None:
    for size, known in ((1, set()), (2, {"sum_random"}), (3, {"sum_random"}), (4, {"sum_random", "sum_centred"})):
        scored = Scored(numbered, np.arange(size), KEYS[:size], [["x"] * size], [tmp_path / str(size)])
        scored.works[0].mkdir()
        (table,) = score_captions(scored, Comparison(sampled(size, 0), 3, 0), ("sum",), 4, Judge)
        there = {name for name in ("sum_random", "sum_centred") if table[name].null_count == 0}
        assert there == known and table["sum"].null_count == 0


def test_a_random_choice_of_images_is_contained_in_a_larger_choice() -> None:
    few, more = (chosen(50, count, 3) for count in (10, 20))
    assert few.sum() == 10 and more.sum() == 20 and not (few & ~more).any()
    assert chosen(50, None, 3).all() and chosen(5, 10, 3).all() and (chosen(50, 10, 4) != few).any()


def test_no_images_give_an_empty_table(tmp_path: Path) -> None:
    scored = Scored(numbered, np.arange(0), [], [[]], [tmp_path])
    (table,) = score_captions(scored, Comparison(sampled(0, 0), 3, 0), ("sum",), 4, Judge)
    assert len(table) == 0 and "sum_random_centred" in table.column_names


def test_the_style_of_a_text_is_the_mean_of_two_halves_of_the_other_images() -> None:
    style, halves = styles(np.array([[1.0, 2.0], [3.0, 2.0], [2.0, 4.0]]))
    assert style.tolist() == [2.25, 2.5] and halves.tolist() == [-1.5, 1.0]
    assert np.isnan(styles(np.array([[2.0]]))).all() and np.isnan(styles(np.empty((0, 3)))).shape == (2, 3)


def test_captions_of_a_reference_arm_stand_in_for_images() -> None:
    given = Reference(pa.chunked_array([["a cat", ""], ["a dog", "a cat"]]))
    assert given.rows.tolist() == [0, 2, 3]
    assert list(given.shown([[3, 0], [1]], lambda texts: texts)) == [["a cat", "a cat"], [""]]
    mine = pa.chunked_array([["a cat", "a cat", "a cat"], ["a dog"]])
    assert given.comparable(mine).to_pylist() == ["", "", "a cat", "a dog"]


def test_without_random_images_only_matching_scores_are_computed(tmp_path: Path) -> None:
    nothing = Comparison(np.arange(0), 3, 0)
    scored = Scored(numbered, np.arange(2), KEYS[:2], [["x", ""]], [tmp_path])
    (table,) = score_captions(scored, nothing, ("sum",), 4, Judge)
    assert table["sum"].to_pylist() == pytest.approx([0.001, None]) and table["sum_random"].null_count == 2
