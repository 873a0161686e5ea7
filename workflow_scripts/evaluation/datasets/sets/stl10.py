"""STL-10."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="stl10",
    summary="animals and vehicles, from ImageNet (Coates et al. 2011, AISTATS)",
    metric="accuracy",
    sizes={"train": 5000, "test": 8000},
    classes=10,
    side=96,
    licence="not stated; images of ImageNet",
    homepage="https://cs.stanford.edu/~acoates/stl10/",
    archives={"stl10_binary.tar.gz": "91f7769df0f17e558f3565bffb0c7dfb"},
    place="",
    layout=Torchvision("STL10", by_split("train", "test"), paths="arrays"),
)
