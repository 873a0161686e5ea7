"""ImageNet-S919."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet

SET = DownstreamSet(
    name="imagenet_s919",
    summary="919 classes of ImageNet with object masks (Gao et al. 2022, TPAMI)",
    metric="accuracy",
    sizes={"train": 1_183_322, "test": 12_419},
    classes=919,
    masks=12_419,
    licence="that of ImageNet; masks: not stated",
    homepage="https://github.com/LUSSeg/ImageNet-S",
    archives={},
    place="train/, validation/ and validation-segmentation/, as ImageNet-S's data_preparation.sh makes of ImageNet-1k",
    layout="imagenet_s",
)
