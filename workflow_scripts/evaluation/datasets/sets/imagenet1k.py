"""ImageNet-1k."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="imagenet1k",
    summary="ImageNet-1k; its validation images are the test split (Russakovsky et al. 2015, IJCV)",
    metric="accuracy",
    sizes={"train": 1_281_167, "test": 50_000},
    classes=1000,
    licence="non-commercial research and education",
    homepage="https://image-net.org/download.php",
    archives={
        "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
        "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
    },
    place="train/ and val/ with a folder per class, as torchvision.datasets.ImageNet unpacks its two archives and "
    "ILSVRC2012_devkit_t12.tar.gz (free account)",
    layout=Torchvision("ImageNet1k", {"train": {"split": "train"}, "test": {"split": "val"}}),
)
