"""Oxford-IIIT Pets."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="pets",
    summary="breeds of cats and dogs (Parkhi et al. 2012, CVPR)",
    metric="mean_per_class",
    sizes={"train": 3680, "test": 3669},
    classes=37,
    licence="CC BY-SA 4.0",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/pets/",
    archives={
        "images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f",
    },
    place="",
    layout=Torchvision("OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}, paths="pets"),
)
