"""CUB-200-2011."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="cub2011",
    summary="bird species (Wah et al. 2011, CNS-TR-2011-001)",
    metric="accuracy",
    sizes={"train": 5994, "test": 5794},
    classes=200,
    licence="non-commercial research and education",
    homepage="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    archives={"CUB_200_2011.tgz": "97eceeb196236b17998738112f37df78"},
    place="",
    layout=Torchvision("CUB200", by_split("train", "test")),
)
