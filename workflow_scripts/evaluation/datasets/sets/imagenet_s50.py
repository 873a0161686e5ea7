"""ImageNet-S50."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet

SET = DownstreamSet(
    name="imagenet_s50",
    summary="50 classes of ImageNet with object masks (Gao et al. 2022, TPAMI)",
    metric="accuracy",
    sizes={"train": 64_431, "test": 752},
    classes=50,
    masks=752,
    licence="that of ImageNet; masks: not stated",
    homepage="https://github.com/LUSSeg/ImageNet-S",
    archives={},
    place="train/, validation/ and validation-segmentation/, as ImageNet-S's data_preparation.sh makes of ImageNet-1k",
    layout="imagenet_s",
)
