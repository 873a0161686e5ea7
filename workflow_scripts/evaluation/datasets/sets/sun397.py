"""SUN397 by its first official partition."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="sun397",
    summary="scenes, first official partition (Xiao et al. 2010, CVPR)",
    metric="accuracy",
    sizes={"train": 19_850, "test": 19_850},
    classes=397,
    licence="not stated",
    homepage="https://vision.princeton.edu/projects/2010/SUN/",
    archives={
        "SUN397.tar.gz": "8ca2778205c41d23104230ba66911c7a",
        "Partitions.zip": "e3311ea5f812d4cc6faef194688343d1111f6cd6f70f2c62f393c2b8d6ba1ec9",
    },
    place="",
    layout=Torchvision("SUN397Partition", by_split("train", "test")),
)
