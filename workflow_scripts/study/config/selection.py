"""Which checkpoints the probe set chooses, and what a config must say for that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from workflow_scripts.study.config.errors import SettingError

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import Pretrain
    from workflow_scripts.study.config.study import Study


def chosen(study: "Study", settings: "Pretrain", steps: Sequence[str]) -> dict[str, str]:
    """Evaluated checkpoint of a run -> the set that chose it, where tables report that set too.

    Args:
        steps: names of its evaluated checkpoints.
    """
    name = study.probe_dataset
    if name is None or not any(dataset.name == name and dataset.evaluate for dataset in study.datasets):
        return {}
    by_probe = ("best", "last") if settings.patience is not None else ("best",)
    return {step: name for step in steps if step in by_probe}


def selection_errors(study: "Study", runs: Mapping[str, "Pretrain"]) -> Iterator[SettingError]:
    """Yield errors for checkpoints that no probe set could choose, and for sets that nothing uses."""
    if study.probe_dataset is None:
        patient = [f"run {name} has patience" for name, run in runs.items() if run.patience is not None]
        best = ["evaluation.steps has best"] if "best" in study.evaluation.steps else []
        for reason in [*best, *patient][:1]:
            advice = "name one of datasets, whose validation images then choose; ideally one with evaluate: false"
            yield SettingError("selection without a probe set", ("probe_dataset",), f"null, but {reason}", advice)
    for number, dataset in enumerate(study.datasets):
        if not dataset.evaluate and dataset.name != study.probe_dataset:
            advice = "remove the dataset, or name it as probe_dataset"
            yield SettingError("unused dataset", ("datasets", number, "evaluate"), f"false for {dataset.name}", advice)
