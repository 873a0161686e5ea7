"""Removal lists in the config."""

from typing import Any

import pytest

from tests.study.config.configs import merged, planned
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units


@pytest.fixture
def config() -> dict[str, Any]:
    return merged()


def test_a_removal_list_appears_in_settings_as_hashes(config: dict[str, Any]) -> None:
    url = "https://i.redd.it/secret.jpg"
    config["annotations"] |= {"exclude": ["abc123", url, "abc123"], "exclude_from": "data/removed"}
    units = Units(load_study(config))
    settings = units.settings("annotations", {})
    assert settings["exclude"] == sorted([token("abc123"), token(url)])
    assert "abc123" not in str(settings) and "secret" not in str(settings) and "exclude_from" not in settings
    assert units.sources("annotations", {})["exclude"] == "data/removed"
    assert units.read("annotations", "exclude", {}) == ["source/exclude"]
    assert "exclude" not in planned().sources("annotations", {})


@pytest.mark.parametrize("entry", ["i.redd.it/a.jpg", "", 123456])
def test_an_invalid_entry_of_a_removal_list_is_refused(config: dict[str, Any], entry: Any) -> None:
    config["annotations"]["exclude"] = ["abc123", entry]
    with pytest.raises(PipelineError, match=r"config\.annotations\.exclude"):
        load_study(config)
