"""Facts that stages of features and their scores share, each with what differs replaced."""

from workflow_scripts.core.declaration.facts import Cost, Facts, Resources, Tolerance

BORDERS = Tolerance(0.01, 0.01, "none; items on the border of two classes")
PROTOTYPES = Tolerance(0.01, 0.01, "none; items equally near to two prototypes")
VOTES = Tolerance(0.01, 0.01, "none; items with nearly equal votes for two classes")

SCORES = Facts(
    files={},
    environment="train",
    resources=Resources(
        minutes=30, memory_mb=8_000, data=lambda load: load.labelled * load.features * 16, math=True, slot="evaluations"
    ),
    cost=Cost(per="labelled image", units=lambda load: load.labelled, core_ms=0.3, source="assumed"),
    disk=lambda _: 2e6,
    group="evaluation.{run}.{step}",
    names=lambda units: units.evaluations,
    inputs={"features": "features/{run}.{step}.{dataset}", "dataset": "eval_dataset/{dataset}"},
)
