"""CIFAR-100."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="cifar100",
    summary="small images of everyday things (Krizhevsky 2009)",
    metric="accuracy",
    sizes={"train": 50_000, "test": 10_000},
    classes=100,
    side=32,
    licence="not stated",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    archives={"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"},
    place="",
    layout=Torchvision("CIFAR100", {"train": {"train": True}, "test": {"train": False}}, paths="arrays"),
)
