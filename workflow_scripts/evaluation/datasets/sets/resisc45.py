"""NWPU-RESISC45."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="resisc45",
    summary="scenes seen from the air (Cheng et al. 2017, Proc. IEEE)",
    metric="accuracy",
    sizes={"train": 3150, "val": 3150, "test": 25_200},
    classes=45,
    licence="not stated",
    homepage="https://gcheng-nwpu.github.io/",
    archives={},
    place="NWPU-RESISC45/ with a folder per class, unpacked from the authors' NWPU-RESISC45.rar (OneDrive)",
    layout=Torchvision("Resisc45", {"train": {}}, {"train": 70, "val": 70, "test": 560}),
)
