"""EuroSAT."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision

SET = DownstreamSet(
    name="eurosat",
    summary="land use seen by satellite (Helber et al. 2019, JSTARS)",
    metric="accuracy",
    sizes={"train": 5000, "val": 5000, "test": 5000},
    classes=10,
    side=64,
    unused=12_000,
    licence="MIT",
    homepage="https://github.com/phelber/EuroSAT",
    archives={"EuroSAT.zip": "c8fa014336c82ac7804f0398fcb19387"},
    place="",
    layout=Torchvision("EuroSAT", {"train": {}}, {"train": 5000, "val": 5000, "test": 5000}, per_class=False),
)
