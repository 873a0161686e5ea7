"""Every stage file declares itself, and its declaration fits its function, its settings and its rule."""

import pytest

from workflow_scripts.core.digest import code_digest
from workflow_scripts.study.stages import declaration, stage_names

STAGES = sorted(stage_names() - {"crate"})  # which is no artifact


@pytest.mark.parametrize("name", STAGES)
def test_a_declaration_is_complete(name: str) -> None:
    stage = declaration(name)
    assert stage is not None, f"stages/{name}.py lacks STAGE"
    assert stage.name == name
    assert stage.not_in_key <= stage.settings.model_fields.keys()
    assert stage.by_content == (stage.format is not None) == code_digest(name).startswith("format-")
    assert not stage.numbered or len(stage.unit) == 1


def test_what_is_no_stage_declares_nothing() -> None:
    assert declaration("nothing") is None and declaration("__init__") is None and declaration("crate") is None
