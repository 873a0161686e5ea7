"""Food-101."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="food101",
    summary="dishes (Bossard et al. 2014, ECCV)",
    metric="accuracy",
    sizes={"train": 75_750, "test": 25_250},
    classes=101,
    licence="not stated; photos of Foodspotting, for scientific fair use",
    homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    archives={"food-101.tar.gz": "85eeb15f3717b99a5da872d97d918f87"},
    place="",
    layout=Torchvision("Food101", by_split("train", "test")),
)
