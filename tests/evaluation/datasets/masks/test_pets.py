"""Pets in their official layout, with the header of its lists."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.pets import PetMasks

HEADER = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n#SPECIES: 1:Cat 2:Dog\n"
NAMES = {"Abyssinian_1": "1 1 1", "Abyssinian_2": "1 1 1", "great_pyrenees_10": "16 2 10"}


def pets(root: Path, **lists: list[str]) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "annotations/trimaps").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (root / f"images/{name}.jpg").write_bytes(picture(number))
        trimap = np.full((12, 10), 2, np.uint8)
        trimap[:4], trimap[4:6] = 1, 3
        (root / f"annotations/trimaps/{name}.png").write_bytes(encoded(trimap))
    for name, lines in lists.items():
        text = "\n".join(f"{line} {NAMES.get(line, '')}".strip() for line in lines)
        (root / f"annotations/{name}.txt").write_text(f"{HEADER if name == 'list' else ''}{text}\n")
    return root


def test_official_splits_and_trimaps(tmp_path: Path) -> None:
    source = PetMasks(
        pets(tmp_path, list=[*NAMES], trainval=["Abyssinian_1", "great_pyrenees_10"], test=["Abyssinian_2"])
    )
    listing = source.listing()
    assert [tuple(one) for one in listing.entries] == [
        ("train", "Abyssinian", "images/Abyssinian_1.jpg"),
        ("train", "great_pyrenees", "images/great_pyrenees_10.jpg"),
        ("test", "Abyssinian", "images/Abyssinian_2.jpg"),
    ]
    (found,) = source.read(frozenset({"images/Abyssinian_2.jpg"}))
    assert found.image == picture(1) and found.mask is not None and found.objects is None
    mask = np.asarray(Image.open(io.BytesIO(found.mask)))
    assert mask[:, 0].tolist() == [1] * 4 + [255] * 2 + [0] * 6


def test_without_both_lists_the_set_is_unsplit(tmp_path: Path) -> None:
    listing = PetMasks(pets(tmp_path, list=[*NAMES], test=["Abyssinian_2"])).listing()
    assert [one.split for one in listing.entries] == ["train"] * 3


def test_pets_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    names = [*NAMES, "Abyssinian_1", "Abyssinian_9 1", "../../secret_1 3"]
    root = pets(tmp_path / "set", list=names)
    (root / "annotations/trimaps/Abyssinian_2.png").unlink()
    listing = PetMasks(root).listing()
    assert len(listing.entries) == 2
    assert listing.left_out == {"no_segmentation": 1, "repeated_name": 1, "no_image": 1, "unsafe_name": 1}


@pytest.mark.parametrize("line", ["Abyssinian_1", "nobreed 1 1 1", "Abyssinian_1 2 1 1", "\x00\xff"])
def test_damaged_lists_are_named(line: str, tmp_path: Path) -> None:
    root = pets(tmp_path, list=["Abyssinian_2"])
    with (root / "annotations/list.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(PipelineError, match=r"corrupt list of images in .*list\.txt: line 5: "):
        PetMasks(root).listing()


def test_damaged_trimaps_are_named(tmp_path: Path) -> None:
    source = PetMasks(pets(tmp_path, list=[*NAMES]))
    for data, message in ((encoded(np.full((12, 10), 7, np.uint8)), "value 7"), (b"no png", "cannot identify")):
        (tmp_path / "annotations/trimaps/Abyssinian_1.png").write_bytes(data)
        with pytest.raises(PipelineError, match=rf"corrupt segmentation in .*Abyssinian_1\.png: .*{message}"):
            list(source.read(frozenset({"images/Abyssinian_1.jpg"})))


def test_an_empty_pets_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"unreadable file in .*annotations/list\.txt"):
        PetMasks(tmp_path).listing()
    with pytest.raises(PipelineError, match=r"no images .*with images/ and annotations/"):
        PetMasks(pets(tmp_path / "a", list=["Abyssinian_9 1"])).listing()
