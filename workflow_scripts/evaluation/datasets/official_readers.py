"""Readers of sets that torchvision lacks or splits otherwise, with the interface of ``torchvision.datasets``.

Arguments are those of torchvision's readers: the folder, the split, whether to download, and ``loader``, which gets a
path and whose result is returned beside the label.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from torchvision import datasets
from torchvision.datasets import SUN397, ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.datasets.utils import download_and_extract_archive, download_url, extract_archive

from workflow_scripts.evaluation.datasets.registry import SETS

Loader = Callable[[str], Any]


class _Listed:
    """Images that text files list.

    Attributes:
        classes: names by label.
        files: path and label of each image.
    """

    classes: list[str]
    files: list[tuple[Path, int]]
    loader: Loader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        path, label = self.files[row]
        return self.loader(str(path)), label


class CUB200(_Listed):
    """CUB-200-2011 (Wah et al. 2011): ``CUB_200_2011/`` with images and four lists, as its README describes them."""

    def __init__(self, root: str, split: str, download: bool = False, loader: Loader = default_loader) -> None:
        folder = Path(root, "CUB_200_2011")
        if download and not folder.exists():
            url = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
            download_and_extract_archive(url, root, md5=SETS["cub2011"].archives["CUB_200_2011.tgz"])
        names, images, labels, training = (
            dict(line.split(" ", 1) for line in _lines(folder / f"{name}.txt"))
            for name in ("classes", "images", "image_class_labels", "train_test_split")
        )
        wanted = "1" if split == "train" else "0"
        places = {number: label for label, number in enumerate(names)}
        self.classes, self.loader = list(names.values()), loader
        self.files = [
            (folder / "images" / name, places[labels[number]])
            for number, name in images.items()
            if training[number] == wanted
        ]


class SUN397Partition(_Listed):
    """SUN397 (Xiao et al. 2010) by its first official partition: 50 training and 50 test images of each class.

    The lists ``ClassName.txt``, ``Training_01.txt`` and ``Testing_01.txt`` of ``Partitions.zip`` lie in the folder of
    the images, ``SUN397/``.
    """

    def __init__(self, root: str, split: str, download: bool = False, loader: Loader = default_loader) -> None:
        folder = Path(root, "SUN397")
        if download:
            SUN397(root, download=True)
            _fetch_partitions(folder)
        names = _lines(folder / "ClassName.txt")
        labels = {name: label for label, name in enumerate(names)}
        self.classes, self.loader = [name.split("/", 2)[2] for name in names], loader
        listed = _lines(folder / ("Training_01.txt" if split == "train" else "Testing_01.txt"))
        self.files = [(folder / name.lstrip("/"), labels[name.rpartition("/")[0]]) for name in listed]


def _fetch_partitions(folder: Path) -> None:
    if (folder / "Training_01.txt").exists():
        return
    name = "Partitions.zip"
    download_url(f"https://vision.princeton.edu/projects/2010/SUN/download/{name}", str(folder), name)
    found, published = sha256((folder / name).read_bytes()).hexdigest(), SETS["sun397"].archives[name]
    if found != published:
        raise OSError(f"{name} has sha256 {found}, not {published}")
    extract_archive(str(folder / name), str(folder))


class _ClassFolders(_Listed):
    """Class folders that can't be downloaded.

    Attributes:
        folder: where they, or the splits with them, lie.
    """

    folder = ""

    def __init__(self, root: str, split: str = "", download: bool = False, loader: Loader = default_loader) -> None:
        if download:
            raise OSError("it can't be downloaded without an account")
        found = ImageFolder(str(Path(root, self.folder, split)))
        self.classes, self.loader = found.classes, loader
        self.files = [(Path(path), label) for path, label in found.samples]


class Caltech101WithBackground(_ClassFolders):
    """Caltech-101 (Fei-Fei et al. 2004) with its background class, which torchvision's reader leaves out."""

    folder = "caltech101/101_ObjectCategories"

    def __init__(self, root: str, download: bool = False, loader: Loader = default_loader) -> None:
        if download:
            datasets.Caltech101(root, download=True)
        super().__init__(root, loader=loader)


class Resisc45(_ClassFolders):
    """NWPU-RESISC45 (Cheng et al. 2017): ``NWPU-RESISC45/<class>/<class>_<number>.jpg``, 700 images of each class."""

    folder = "NWPU-RESISC45"


class ImageNet1k(_ClassFolders):
    """ImageNet-1k (Russakovsky et al. 2015) as class folders in ``train/`` and ``val/``."""


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
