"""The header of a model card, as the Hugging Face hub reads it, and its numbers."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from huggingface_hub import ModelCard

from workflow_scripts.export import card as card_module
from workflow_scripts.export.card import REDCAPS, UNKNOWN, _budget, header
from workflow_scripts.export.run import Run
from workflow_scripts.reporting.sections.headline import FAMILIES


def row(dataset: str, family: str, metric: str, value: float) -> dict[str, Any]:
    return {"dataset": dataset, "family": FAMILIES[family], "metric": metric, "value": value}


SCORES = [
    row("food101", "probe", "linear_probe.sklearn.accuracy", 0.6543),
    row("pets: [x]", "probe", "linear_probe.sklearn.mean_per_class", 0.5),
    row("food101", "knn", "knn.accuracy", 0.4),
    row("mean", "probe", "linear_probe.sklearn.accuracy", 0.58),
    row("masks", "saliency", "saliency.probe.pixel_ap.corrected", 0.1),
]
REDCAPS_DATA = {"files": [{"file": "redcaps_v1.0_annotations.zip"}], "synthetic": False}


def card(licence: str, scores: list[dict[str, Any]], data: dict[str, Any], unlabelled: bool = True) -> ModelCard:
    return ModelCard(f"---\n{header('simclr-s0', unlabelled, licence, True, scores, data)}\n---\n# A card\n")


def test_the_hub_reads_results_by_dataset_and_metric() -> None:
    data = card("mit", SCORES, REDCAPS_DATA).data
    assert (data.license, data.library_name, data.datasets, data.model_name) == ("mit", "timm", [REDCAPS], "simclr-s0")
    found = {(one.dataset_name, one.metric_name): one.metric_value for one in data.eval_results or ()}
    assert found == {
        ("food101", "Linear probe, accuracy, %"): 65.43,
        ("food101", "kNN, accuracy, %"): 40.0,
        ("pets: [x]", "Linear probe, mean per class, %"): 50.0,
    }
    (index,) = data.to_dict()["model-index"]
    assert [len(one["metrics"]) for one in index["results"]] == [2, 1]


def test_a_card_without_results_or_public_data_says_nothing_of_them() -> None:
    data = card(UNKNOWN, SCORES[-2:], {"files": [{"file": "mine.zip"}], "synthetic": False}).data
    assert (data.license, data.datasets, data.eval_results) == ("unknown", None, None)
    assert card("mit", [], REDCAPS_DATA | {"synthetic": True}).data.datasets is None
    for unlabelled, tags in ((True, ["self-supervised", "faithful-pairs"]), (False, ["faithful-pairs"])):
        assert card("mit", [], REDCAPS_DATA, unlabelled).data.tags == tags


def test_epochs_are_passes_over_the_pairs_that_fill_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "recorded_settings", lambda _: SimpleNamespace(views=(1, 2)))
    about = {"checkpoints": {"last": 200}, "batch_size": 64}
    node = SimpleNamespace(manifest={"rows": {"in": 3000, "out": 3000, "dropped": {}}})
    budget = _budget(cast(Run, SimpleNamespace(node=node, metadata=about, checkpoint="last")))
    assert budget == {"steps": 200, "batch": 64, "views": 2, "seen": 25_600, "epochs": "4.35"}
