import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.dataset_files import Choice, choose, class_list, key_of, write_dataset
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture
from workflow_scripts.evaluation.datasets.splits import Entry

CHOICE = Choice(seed=0, val_fraction=0.3, test_fraction=0.5, limit={}, min_per_class=1)


class FakeSet:
    where = "a fake set"

    def __init__(self, pictures: list[Picture]) -> None:
        self.pictures = pictures

    def listing(self) -> Listing:
        return Listing([Entry("train", f"c{i % 2}", one.name) for i, one in enumerate(self.pictures)])

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        return (one for one in self.pictures if one.name in wanted)


def pictures(n: int) -> list[Picture]:
    return [Picture(f"../odd <name>/{i}.png", picture(i), encoded(np.zeros((12, 10), np.uint8))) for i in range(n)]


def test_images_and_masks_are_read_back_by_offset(tmp_path: Path) -> None:
    source = FakeSet(pictures(7))
    entries = source.listing().entries
    table = write_dataset(source, entries, class_list(source.listing(), entries), tmp_path / "x.tar", 2)
    data = (tmp_path / "x.tar").read_bytes()
    for row, one in zip(table.to_pylist(), source.pictures, strict=True):
        assert data[row["offset"] :][: row["size"]] == one.image
        assert data[row["mask_offset"] :][: row["mask_size"]] == one.mask
        assert row["key"] == key_of(one.name) and row["member"] == one.name
        assert row["class_name"] == f"c{row['label']}"
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert tar.getnames() == [f"{key_of(o.name)}{end}" for o in source.pictures for end in (".img", ".mask.png")]
    write_dataset(source, entries, ["c0", "c1"], tmp_path / "y.tar", 1)
    assert (tmp_path / "y.tar").read_bytes() == data


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"<html>gone</html>"])
def test_a_corrupt_image_is_named(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = FakeSet(pictures(4))
    source.pictures[2] = source.pictures[2]._replace(image=damage(source.pictures[2].image))
    entries = source.listing().entries
    with pytest.raises(PipelineError, match=r"corrupt image in a fake set: member '../odd <name>/2.png'"):
        write_dataset(source, entries, ["c0", "c1"], tmp_path / "x.tar", 1)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    source = FakeSet([pictures(1)[0]._replace(mask=encoded(np.zeros((3, 3), np.uint8)))])
    with pytest.raises(PipelineError, match="mask has another size"):
        write_dataset(source, source.listing().entries, ["c0"], tmp_path / "x.tar", 1)


def test_a_truncated_mask_is_named(tmp_path: Path) -> None:
    """Its header is intact, so that its size can be read."""
    noise = encoded(np.random.default_rng(0).integers(0, 2, (12, 10), np.uint8))
    source = FakeSet([pictures(1)[0]._replace(mask=noise[: len(noise) * 2 // 3])])
    with pytest.raises(PipelineError, match=r"corrupt image in a fake set: member '.*0\.png' \(its mask: .+\)"):
        write_dataset(source, source.listing().entries, ["c0"], tmp_path / "x.tar", 1)


def test_images_that_vanish_are_noticed(tmp_path: Path) -> None:
    source = FakeSet(pictures(3))
    entries = [*source.listing().entries, Entry("train", "c0", "gone.png")]
    with pytest.raises(PipelineError, match=r"gone\.png"):
        write_dataset(source, entries, ["c0", "c1"], tmp_path / "x.tar", 1)


def test_entries_left_out_of_a_dataset_are_counted() -> None:
    listing = Listing([Entry("train", f"c{i % 3}", str(i)) for i in range(90)] + [Entry("train", "rare", "r")])
    listing.left_out["unsafe_name"] = 2
    kept, left_out = choose(listing, CHOICE._replace(limit={"train": 4}, min_per_class=2), "x")
    assert {one.split for one in kept} == {"train", "val", "test"}
    assert left_out["class_below_min_per_class"] == 1 and left_out["unsafe_name"] == 2
    assert len(kept) + left_out.total() == 93
    with pytest.raises(PipelineError, match="empty split"):
        choose(Listing([Entry("train", "c", "1")]), CHOICE, "x")
    own = [Entry(split, "c", f"{split}{i}") for split in ("train", "val", "test") for i in range(9)]
    assert choose(Listing(own), CHOICE, "x")[0] == own


@pytest.mark.parametrize(
    ("trained", "tested"), [("hot dog", "hot_dog"), ("cat", "Cat"), ("caf\u00e9", "cafe\u0301"), ("other", "zebra")]
)
def test_a_test_class_needs_training_images_of_the_same_name(trained: str, tested: str) -> None:
    entries = [Entry("train", trained, f"{i}") for i in range(9)] + [Entry("test", trained, "t")]
    expected = f"{tested!a}, perhaps {trained!a} of train" if trained != "other" else "'zebra'"
    with pytest.raises(PipelineError, match=re.escape(f"test classes without training images in x: {expected}; give")):
        choose(Listing([*entries, Entry("test", tested, "u")]), CHOICE, "x")


def test_classes_that_a_random_split_leaves_to_test_alone_are_left_out() -> None:
    entries = [Entry("train", "c" if i < 90 else f"c{i}", str(i)) for i in range(180)]
    kept, left_out = choose(Listing(entries), CHOICE, "x")
    assert {entry.class_name for entry in kept if entry.split == "test"} == {"c"}
    assert 0 < left_out["no_training_image_of_class"] == 180 - len(kept)


def test_classes_keep_the_order_of_the_dataset() -> None:
    entries = [Entry("train", "b", "1"), Entry("train", "a", "2")]
    assert class_list(Listing(entries, classes=["b", "unused", "a"]), entries) == ["b", "a"]
    assert class_list(Listing(entries), entries) == ["a", "b"]
