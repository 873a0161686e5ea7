"""Describable Textures."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="dtd",
    summary="textures, first official partition (Cimpoi et al. 2014, CVPR)",
    metric="accuracy",
    sizes={"train": 1880, "val": 1880, "test": 1880},
    classes=47,
    licence="research",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    archives={"dtd-r1.0.1.tar.gz": "fff73e5086ae6bdbea199a49dfb8a4c1"},
    place="",
    layout=Torchvision("DTD", by_split("train", "val", "test")),
)
