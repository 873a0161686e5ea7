"""Each method's file opens with an overlay of the demo, which is a valid study with that method."""

import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tests.study.config.configs import changed, merged
from workflow_scripts.pretraining import methods
from workflow_scripts.study.config.study import load_study

(FOLDER,) = methods.__path__
NAMES = sorted(path.stem for path in Path(FOLDER).glob("[a-z]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_a_study_with_the_method(name: str) -> None:
    text = import_module(f"{methods.__name__}.{name}").__doc__ or ""
    example = yaml.safe_load(textwrap.dedent(text.partition("::\n\n")[2]))
    assert {run["method"] for run in example["runs"]} == {name}
    assert set(example.get("pretraining", {})) <= {name}
    study = load_study(changed(merged("profiles/demo/study.yaml"), example))
    assert [run.method for run in study.runs] == [name] * len(example["runs"])
