from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.evaluation.datasets.splits import Entry, cut, fixed_counts, limited, split_files, without_rare


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.tar", "train"),
        ("data/validation-00000-of-00001.tar", "val"),
        ("valid/0.tar", "val"),
        ("imagenet1k-train-0000.tar", "train"),
        ("my_test/1.tar", "test"),
        ("train/train-1.tar", "train"),
    ],
)
def test_the_split_that_a_path_names(name: str, split: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert split_files(tmp_path, (".tar",)) == [(split, tmp_path / name)]


def test_paths_that_name_no_split_form_an_unsplit_set(tmp_path: Path) -> None:
    for name in ("latest.tar", "constrained.tar", "2.tar"):
        (tmp_path / name).touch()
    assert [split for split, _ in split_files(tmp_path, (".tar",))] == ["train"] * 3


def entries(n: int, classes: int = 3) -> list[Entry]:
    return [Entry("train", f"class{i % classes}", f"train/class{i % classes}/{i}.png") for i in range(n)]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 59)), st.integers(0, 5))
def test_dropping_images_moves_no_other_image(dropped: set[int], seed: int) -> None:
    everything = cut(entries(60), "val", 0.3, seed)
    rest = cut([one for i, one in enumerate(entries(60)) if i not in dropped], "val", 0.3, seed)
    assert rest == [one for i, one in enumerate(everything) if i not in dropped]


def test_a_validation_split_is_drawn_by_share_and_seed() -> None:
    many = entries(4000)
    assert abs(Counter(item.split for item in cut(many, "val", 0.2, 0))["val"] / 4000 - 0.2) < 0.02
    assert cut(many, "val", 0.2, 0) != cut(many, "val", 0.2, 1)
    assert cut(many, "val", 0.2, 0) == cut(many, "val", 0.2, 0)
    tested = [one._replace(split="test") for one in many]
    assert cut(tested, "val", 0.9, 0) == tested


def test_limit_is_per_split_and_class_keeps_order_and_is_nested() -> None:
    many = cut(entries(300), "val", 0.3, 0)
    few, fewer = limited(many, {"train": 9, "val": 4}, 0), limited(many, {"train": 5, "val": 4}, 0)
    counts = Counter((one.split, one.class_name) for one in few)
    assert counts == {(split, f"class{c}"): n for split, n in (("train", 9), ("val", 4)) for c in range(3)}
    assert set(fewer) < set(few)
    assert few == [one for one in many if one in set(few)]
    assert limited(many, {}, 0) == many


def test_fixed_split_sizes_apply_per_class_or_overall() -> None:
    by_class = fixed_counts(entries(60), {"train": 5, "test": -1}, True, 0)
    assert Counter((one.split, one.class_name) for one in by_class) == {
        **{("train", f"class{c}"): 5 for c in range(3)},
        **{("test", f"class{c}"): 15 for c in range(3)},
    }
    overall = fixed_counts(entries(60), {"train": 10, "val": 20, "test": 20}, False, 0)
    assert Counter(one.split for one in overall) == {"train": 10, "val": 20, "test": 20}
    assert overall != fixed_counts(entries(60), {"train": 10, "val": 20, "test": 20}, False, 1)


def test_rare_classes_are_removed() -> None:
    some = [*entries(6, 2), Entry("test", "lonely", "x")]
    assert {one.class_name for one in without_rare(some, 2)} == {"class0", "class1"}
