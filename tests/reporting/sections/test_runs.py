from types import SimpleNamespace
from typing import Any, cast

from workflow_scripts.reporting.sections.runs import PAIR_FACTS, _trained_on, untested
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
            index=SimpleNamespace(manifest=lambda name: source),
            method_and_pairs=lambda run: ("xclr", "original"),
        ),
    )


def test_pair_and_target_facts_are_columns_if_any_run_records_them() -> None:
    runs: dict[str, dict[str, Any]] = {"a": {"target_temperature": 0.068932, "target_perplexity": 20.0}, "b": {}}
    found = _trained_on(study_of(runs))
    assert found["columns"] == [PAIR_FACTS[name] for name in ("target_temperature", "target_perplexity")]
    assert [[cell.text for cell in line["cells"]] for line in found["lines"]] == [["0.06893", "20"], ["—", "—"]]
    assert _trained_on(study_of({"b": {}, "c": {"without_score": 1234}}))["lines"][1]["cells"][0].text == "1\u202f234"


def test_classes_without_test_images_are_named_per_dataset() -> None:
    facts: dict[str, dict[str, Any]] = {"pets": {"without_test_images": [f"c{n}" for n in range(9)]}, "dtd": {}}
    made = [SimpleNamespace(name=name, unit={"dataset": name}) for name in facts]
    source = Source("x.json", "study", "digest")
    study = SimpleNamespace(all=lambda kind: made, json=lambda one: facts[one.name], source=lambda one, suffix: source)
    ((name, number, classes),) = untested(cast(Study, study))
    assert (name, number.text, classes) == ("pets", "9", "c0, c1, c2, c3, c4")
