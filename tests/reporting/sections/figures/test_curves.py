"""Training curves, and what each run trains on."""

from types import SimpleNamespace
from typing import Any, cast

from workflow_scripts.reporting.sections.figures.curves import (
    COLUMNS,
    PAIR_FACTS,
    STATISTICS,
    Trained,
    _trained_on,
    figures,
    over_seeds,
)
from workflow_scripts.reporting.study import Source, Study


def study_of(runs: dict[str, dict[str, Any]]) -> Study:
    """A study whose runs have these ``run.json``."""
    source = Source("run.json", "study", "digest")
    rows, manifest = {"out": 9, "dropped": {}}, {"stage": "pretrain"}
    made = [SimpleNamespace(name=name, unit={"run": name}, rows=rows, manifest=manifest) for name in runs]
    return cast(
        Study,
        SimpleNamespace(
            all=lambda kind: made,
            json=lambda one, suffix: runs[one.name],
            source=lambda one, suffix: source,
            manifest=lambda name: source,
            css=lambda run: "arm-original",
        ),
    )


def test_pair_and_target_facts_are_columns_if_any_run_records_them() -> None:
    runs: dict[str, dict[str, Any]] = {"a": {"target_temperature": 0.068932, "target_perplexity": 20.0}, "b": {}}
    found = _trained_on(study_of(runs))
    assert found["columns"] == [PAIR_FACTS[name] for name in ("target_temperature", "target_perplexity")]
    assert [[cell.text for cell in line["cells"]] for line in found["lines"]] == [["0.06893", "20"], ["—", "—"]]
    assert _trained_on(study_of({"b": {}, "c": {"without_score": 1234}}))["lines"][1]["cells"][0].text == "1\u202f234"


SEEDS = [
    [{"step": 0, "loss": None, "knn_accuracy": 0.2, "rankme": 9.0}, {"step": 9, "loss": 1.0, "rankme": 4.0}],
    [{"step": 0, "loss": 5.0, "knn_accuracy": 0.4, "rankme": None}, {"step": 9, "loss": 2.0, "rankme": float("nan")}],
]


def test_a_curve_is_the_mean_and_range_over_the_seeds_with_a_value() -> None:
    curve = over_seeds(Trained("a", "arm-self", SEEDS), "loss")
    assert (curve.x, curve.y, curve.low, curve.high) == ([0.0, 9.0], [5.0, 1.5], [5.0, 1.0], [5.0, 2.0])
    near = over_seeds(Trained("a", "arm-self", SEEDS[:1]), "knn_accuracy", 100)
    assert (near.x, near.y, near.low) == ([0.0], [20.0], ())


def test_a_method_has_figures_of_the_columns_with_values() -> None:
    trained = {"simclr": [Trained("a", "arm-self", SEEDS), Trained("b", "arm-other", SEEDS[:1])]}
    found = figures(trained, COLUMNS)
    assert [figure.name for figure in found] == ["curve-simclr-loss", "curve-simclr-online-knn"]
    assert [figure.title for figure in figures(trained, STATISTICS)] == ["SimCLR: RankMe"]
    assert {row[0] for row in found[0].rows} == {"a", "b"} and "bands" in found[0].alt
    assert "bands" not in figures({"simclr": trained["simclr"][1:]}, COLUMNS)[0].alt  # of one seed
