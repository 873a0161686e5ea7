"""Configs with an addition, as the checks of additions need them."""

from typing import Any

import pytest

from tests.study.config.configs import changed, merged
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units


def study_with(change: dict[str, Any]) -> Units:
    """The full study with this overlay."""
    return Units(load_study(changed(merged(), change)))


def refusal(change: dict[str, Any]) -> str:
    """What is said about an overlay that is refused."""
    with pytest.raises(PipelineErrors) as error:
        study_with(change)
    return str(error.value)
