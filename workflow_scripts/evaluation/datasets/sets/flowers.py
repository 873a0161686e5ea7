"""Flowers-102."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="flowers",
    summary="flower species (Nilsback and Zisserman 2008, ICVGIP)",
    metric="mean_per_class",
    sizes={"train": 1020, "val": 1020, "test": 6149},
    classes=102,
    licence="not stated",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    archives={"102flowers.tgz": "52808999861908f626f3c1f4e79d11fa"},
    place="",
    layout=Torchvision("Flowers102", by_split("train", "val", "test")),
)
