"""FGVC Aircraft."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="aircraft",
    summary="aircraft variants (Maji et al. 2013, arXiv:1306.5151)",
    metric="mean_per_class",
    sizes={"train": 3334, "val": 3333, "test": 3333},
    classes=100,
    licence="non-commercial research",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    archives={},
    place="",
    layout=Torchvision("FGVCAircraft", by_split("train", "val", "test")),
)
