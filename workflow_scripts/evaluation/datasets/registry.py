"""Public downstream sets with fixed contents, a row each.

A row says how a set is read, how its accuracy is usually averaged, how much it holds, and where it comes from. Config
checks, error messages, disk and cost estimates and the table in ``docs/runs.md`` read these rows. Images in class
folders need no row at all (kind ``folders``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workflow_scripts.core.registry import by_name

Metric = Literal["accuracy", "mean_per_class"]
Paths = Literal["loader", "lazy", "pets", "arrays"]


@dataclass(frozen=True)
class Torchvision:
    """How a set is opened by a reader with the interface of ``torchvision.datasets``.

    Attributes:
        reader: class name in ``torchvision.datasets`` or, for sets that it lacks, in
            :mod:`workflow_scripts.evaluation.datasets.official_readers`.
        splits: our split -> arguments of the reader.
        counts: for a set without official splits: images per split as in the original evaluation (its tfds splits);
            -1 = all others. Which images these are is our choice, by hash: tfds's can't be reproduced without tfds.
        per_class: whether ``counts`` are per class.
        paths: ``loader`` (the reader takes a loader, which here returns the path), ``lazy`` (it opens files lazily),
            ``pets`` (paths are in an attribute), ``arrays`` (pixels only; stored as PNG).
        most_pixels: images are stored again as JPEG, scaled down to about this number of pixels; 0: as they are.
    """

    reader: str
    splits: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, int] = field(default_factory=dict)
    per_class: bool = True
    paths: Paths = "loader"
    most_pixels: int = 0


@dataclass(frozen=True, kw_only=True)
class DownstreamSet:
    """A public set.

    Attributes:
        name: what configs call it: its ``torchvision_name``, for other kinds the ``name`` of the dataset.
        summary: what it shows, and where it was published.
        metric: how accuracy on it is usually averaged; the default of the setting ``metric``.
        sizes: published number of images of each split that is used; a source with other sizes is an error.
        classes: number of classes, each of which is in every split.
        side: of sets whose images are all of one size and small, that size in pixels.
        unused: number of further images, which are in no split.
        masks: number of images with an object mask.
        licence: as its authors state it.
        homepage: where it is described and found.
        archives: its published archives -> md5 or sha256. An archive that lies in the source is checked.
        place: which files to put where; empty for a set that the workflow can download.
        layout: its reader, or the name of another kind (:data:`workflow_scripts.evaluation.datasets.kinds.KINDS`).
    """

    name: str
    summary: str
    metric: Metric = "accuracy"
    sizes: Mapping[str, int]
    classes: int
    side: int = 0
    unused: int = 0
    masks: int = 0
    licence: str = "not stated"
    homepage: str
    archives: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    layout: Torchvision | str

    @property
    def kind(self) -> str:
        """How it is stored."""
        return self.layout if isinstance(self.layout, str) else "torchvision"

    @property
    def images(self) -> int:
        """Number of images that the workflow uses, all splits together."""
        return sum(self.sizes.values())


def by_split(*names: str) -> dict[str, dict[str, str]]:
    """Splits whose official names are ours, for a reader with the argument ``split``."""
    return {name: {"split": name} for name in names}


def _imagenet_s(name: str, classes: int, train: int, masks: int) -> DownstreamSet:
    """Classes of ImageNet with an object mask for each validation image."""
    return DownstreamSet(
        name=name,
        summary=f"{classes} classes of ImageNet with object masks (Gao et al. 2022, TPAMI)",
        sizes={"train": train, "test": masks},
        classes=classes,
        masks=masks,
        licence="that of ImageNet; masks: not stated",
        homepage="https://github.com/LUSSeg/ImageNet-S",
        place="train/, validation/ and validation-segmentation/, as ImageNet-S's data_preparation.sh makes of "
        "ImageNet-1k",
        layout="imagenet_s",
    )


def _caltech101(name: str, summary: str, sizes: Mapping[str, int], classes: int, layout: Torchvision) -> DownstreamSet:
    return DownstreamSet(
        name=name,
        summary=summary,
        metric="mean_per_class",
        sizes=sizes,
        classes=classes,
        licence="CC BY 4.0",
        homepage="https://data.caltech.edu/records/mzrjq-6wc02",
        archives={"caltech-101.zip": "3138e1922a9193bfa496528edbbc45d0"},
        layout=layout,
    )


def _sun397(name: str, summary: str, most_pixels: int = 0) -> DownstreamSet:
    return DownstreamSet(
        name=name,
        summary=summary,
        sizes={"train": 19_850, "test": 19_850},
        classes=397,
        homepage="https://vision.princeton.edu/projects/2010/SUN/",
        archives={
            "SUN397.tar.gz": "8ca2778205c41d23104230ba66911c7a",
            "Partitions.zip": "e3311ea5f812d4cc6faef194688343d1111f6cd6f70f2c62f393c2b8d6ba1ec9",
        },
        layout=Torchvision("SUN397Partition", by_split("train", "test"), most_pixels=most_pixels),
    )


# The metrics are those of Kornblith et al. (2019, CVPR), which CLIP and the original evaluation follow.
SETS = by_name(
    [
        DownstreamSet(
            name="aircraft",
            summary="aircraft variants (Maji et al. 2013, arXiv:1306.5151)",
            metric="mean_per_class",
            sizes={"train": 3334, "val": 3333, "test": 3333},
            classes=100,
            licence="non-commercial research",
            homepage="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
            layout=Torchvision("FGVCAircraft", by_split("train", "val", "test")),
        ),
        _caltech101(
            "caltech101",
            summary="objects (Fei-Fei et al. 2004, CVPR workshop)",
            sizes={"train": 3030, "test": 5647},
            classes=101,
            layout=Torchvision("Caltech101", {"train": {}}, {"train": 30, "test": -1}, paths="lazy"),
        ),
        _caltech101(
            "caltech101_background",
            summary="the same with the background as a class, as TensorFlow Datasets has it (Fei-Fei et al. 2004)",
            sizes={"train": 3060, "test": 6084},
            classes=102,
            layout=Torchvision("Caltech101WithBackground", {"train": {}}, {"train": 30, "test": -1}),
        ),
        DownstreamSet(
            name="cars196",
            summary="car models (Krause et al. 2013, 3dRR)",
            sizes={"train": 8144, "test": 8041},
            classes=196,
            licence="not stated; its page is offline",
            homepage="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
            place="stanford_cars/ with cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat",
            layout=Torchvision("StanfordCars", by_split("train", "test")),
        ),
        DownstreamSet(
            name="cifar10",
            summary="small images of animals and vehicles (Krizhevsky 2009)",
            sizes={"train": 50_000, "test": 10_000},
            classes=10,
            side=32,
            homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
            archives={"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
            layout=Torchvision("CIFAR10", {"train": {"train": True}, "test": {"train": False}}, paths="arrays"),
        ),
        DownstreamSet(
            name="cifar100",
            summary="small images of everyday things (Krizhevsky 2009)",
            sizes={"train": 50_000, "test": 10_000},
            classes=100,
            side=32,
            homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
            archives={"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"},
            layout=Torchvision("CIFAR100", {"train": {"train": True}, "test": {"train": False}}, paths="arrays"),
        ),
        DownstreamSet(
            name="cub2011",
            summary="bird species (Wah et al. 2011, CNS-TR-2011-001)",
            sizes={"train": 5994, "test": 5794},
            classes=200,
            licence="non-commercial research and education",
            homepage="https://www.vision.caltech.edu/datasets/cub_200_2011/",
            archives={"CUB_200_2011.tgz": "97eceeb196236b17998738112f37df78"},
            layout=Torchvision("CUB200", by_split("train", "test")),
        ),
        DownstreamSet(
            name="dtd",
            summary="textures, first official partition (Cimpoi et al. 2014, CVPR)",
            sizes={"train": 1880, "val": 1880, "test": 1880},
            classes=47,
            licence="research",
            homepage="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
            archives={"dtd-r1.0.1.tar.gz": "fff73e5086ae6bdbea199a49dfb8a4c1"},
            layout=Torchvision("DTD", by_split("train", "val", "test")),
        ),
        DownstreamSet(
            name="eurosat",
            summary="land use seen by satellite (Helber et al. 2019, JSTARS)",
            sizes={"train": 5000, "val": 5000, "test": 5000},
            classes=10,
            unused=12_000,
            side=64,
            licence="MIT",
            homepage="https://github.com/phelber/EuroSAT",
            archives={"EuroSAT.zip": "c8fa014336c82ac7804f0398fcb19387"},
            layout=Torchvision("EuroSAT", {"train": {}}, {"train": 5000, "val": 5000, "test": 5000}, per_class=False),
        ),
        DownstreamSet(
            name="flowers",
            summary="flower species (Nilsback and Zisserman 2008, ICVGIP)",
            metric="mean_per_class",
            sizes={"train": 1020, "val": 1020, "test": 6149},
            classes=102,
            homepage="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
            archives={"102flowers.tgz": "52808999861908f626f3c1f4e79d11fa"},
            layout=Torchvision("Flowers102", by_split("train", "val", "test")),
        ),
        DownstreamSet(
            name="food101",
            summary="dishes (Bossard et al. 2014, ECCV)",
            sizes={"train": 75_750, "test": 25_250},
            classes=101,
            licence="not stated; photos of Foodspotting, for scientific fair use",
            homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
            archives={"food-101.tar.gz": "85eeb15f3717b99a5da872d97d918f87"},
            layout=Torchvision("Food101", by_split("train", "test")),
        ),
        DownstreamSet(
            name="imagenet1k",
            summary="ImageNet-1k; its validation images are the test split (Russakovsky et al. 2015, IJCV)",
            sizes={"train": 1_281_167, "test": 50_000},
            classes=1000,
            licence="non-commercial research and education",
            homepage="https://image-net.org/download.php",
            archives={
                "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
                "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
            },
            place="train/ and val/ with a folder per class, as torchvision.datasets.ImageNet unpacks its two archives "
            "and ILSVRC2012_devkit_t12.tar.gz (free account)",
            layout=Torchvision("ImageNet1k", {"train": {"split": "train"}, "test": {"split": "val"}}),
        ),
        _imagenet_s("imagenet_s300", 300, 384_862, 4097),
        _imagenet_s("imagenet_s50", 50, 64_431, 752),
        _imagenet_s("imagenet_s919", 919, 1_183_322, 12_419),
        DownstreamSet(
            name="pcam",
            summary="lymph node tissue with and without tumour (Veeling et al. 2018, MICCAI)",
            sizes={"train": 262_144, "val": 32_768, "test": 32_768},
            classes=2,
            side=96,
            licence="CC0",
            homepage="https://github.com/basveeling/pcam",
            archives={
                "camelyonpatch_level_2_split_train_x.h5.gz": "1571f514728f59376b705fc836ff4b63",
                "camelyonpatch_level_2_split_train_y.h5.gz": "35c2d7259d906cfc8143347bb8e05be7",
                "camelyonpatch_level_2_split_valid_x.h5.gz": "d5b63470df7cfa627aeec8b9dc0c066e",
                "camelyonpatch_level_2_split_valid_y.h5.gz": "2b85f58b927af9964a4c15b8f7e8f179",
                "camelyonpatch_level_2_split_test_x.h5.gz": "d8c2d60d490dbd479f8199bdfa0cf6ec",
                "camelyonpatch_level_2_split_test_y.h5.gz": "60a7035772fbdb7f34eb86d4420cf66a",
            },
            layout=Torchvision("PCAM", by_split("train", "val", "test"), paths="arrays"),
        ),
        DownstreamSet(
            name="pets",
            summary="breeds of cats and dogs (Parkhi et al. 2012, CVPR)",
            metric="mean_per_class",
            sizes={"train": 3680, "test": 3669},
            classes=37,
            licence="CC BY-SA 4.0",
            homepage="https://www.robots.ox.ac.uk/~vgg/data/pets/",
            archives={
                "images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c",
                "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f",
            },
            layout=Torchvision(
                "OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}, paths="pets"
            ),
        ),
        DownstreamSet(
            name="resisc45",
            summary="scenes seen from the air (Cheng et al. 2017, Proc. IEEE)",
            sizes={"train": 3150, "val": 3150, "test": 25_200},
            classes=45,
            homepage="https://gcheng-nwpu.github.io/",
            place="NWPU-RESISC45/ with a folder per class, unpacked from the authors' NWPU-RESISC45.rar (OneDrive)",
            layout=Torchvision("Resisc45", {"train": {}}, {"train": 70, "val": 70, "test": 560}),
        ),
        DownstreamSet(
            name="stl10",
            summary="animals and vehicles, from ImageNet (Coates et al. 2011, AISTATS)",
            sizes={"train": 5000, "test": 8000},
            classes=10,
            side=96,
            licence="not stated; images of ImageNet",
            homepage="https://cs.stanford.edu/~acoates/stl10/",
            archives={"stl10_binary.tar.gz": "91f7769df0f17e558f3565bffb0c7dfb"},
            layout=Torchvision("STL10", by_split("train", "test"), paths="arrays"),
        ),
        _sun397("sun397", summary="scenes, first official partition (Xiao et al. 2010, CVPR)"),
        _sun397(
            "sun397_120k",
            summary="the same at about 120,000 pixels at most, as TensorFlow Datasets stores it (Xiao et al. 2010)",
            most_pixels=120_000,
        ),
    ]
)
TORCHVISION = {name: row for name, row in SETS.items() if row.kind == "torchvision"}


def known_set(kind: str, name: str, torchvision_name: str) -> DownstreamSet | None:
    """The row of a dataset of the config, or None for a set that is not public or has no fixed contents."""
    row = SETS.get(torchvision_name or name)
    return row if row is not None and row.kind == kind else None
