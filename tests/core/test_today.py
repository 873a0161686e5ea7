"""Overlays are laid over a config as Snakemake does it."""

from typing import Any

from workflow_scripts.core.today import merge


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    config: dict[str, Any] = {"a": {"x": 1, "y": [1, 2]}, "b": None, "c": {"deep": {"kept": 1, "set": 2}}}
    merge(config, {"a": {"y": [3]}, "b": {"z": 1}, "c": {"deep": {"set": 4}}})
    assert config == {"a": {"x": 1, "y": [3]}, "b": {"z": 1}, "c": {"deep": {"kept": 1, "set": 4}}}
