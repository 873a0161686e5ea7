"""Caltech-101 without its background class."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="caltech101",
    summary="objects (Fei-Fei et al. 2004, CVPR workshop)",
    metric="mean_per_class",
    sizes={"train": 3030, "test": 5647},
    classes=101,
    licence="CC BY 4.0",
    homepage="https://data.caltech.edu/records/mzrjq-6wc02",
    archives={"caltech-101.zip": "3138e1922a9193bfa496528edbbc45d0"},
    place="",
    layout=Torchvision("Caltech101", {"train": {}}, {"train": 30, "test": -1}, paths="lazy"),
)
