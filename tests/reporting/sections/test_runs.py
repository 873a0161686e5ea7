"""What the page says about datasets beside the accuracies."""

from types import SimpleNamespace
from typing import Any, cast

from workflow_scripts.reporting.sections.runs import untested
from workflow_scripts.reporting.study import Source, Study


def test_classes_without_test_images_are_named_per_dataset() -> None:
    facts: dict[str, dict[str, Any]] = {"pets": {"without_test_images": [f"c{n}" for n in range(9)]}, "dtd": {}}
    made = [SimpleNamespace(name=name, unit={"dataset": name}) for name in facts]
    source = Source("x.json", "study", "digest")
    study = SimpleNamespace(all=lambda kind: made, json=lambda one: facts[one.name], source=lambda one, suffix: source)
    ((name, number, classes),) = untested(cast(Study, study))
    assert (name, number.text, classes) == ("pets", "9", "c0, c1, c2, c3, c4")
