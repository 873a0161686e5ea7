"""CIFAR-10."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="cifar10",
    summary="small images of animals and vehicles (Krizhevsky 2009)",
    metric="accuracy",
    sizes={"train": 50_000, "test": 10_000},
    classes=10,
    side=32,
    licence="not stated",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    archives={"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
    place="",
    layout=Torchvision("CIFAR10", {"train": {"train": True}, "test": {"train": False}}, paths="arrays"),
)
