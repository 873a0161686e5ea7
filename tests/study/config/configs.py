"""Configs for tests: ``config.yaml`` with overlays."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workflow_scripts.study.config.files import node_of, read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

ROOT = Path(__file__).resolve().parents[3]


def merged(*overlays: str) -> dict[str, Any]:
    """config.yaml with overlays, merged as Snakemake does: mappings by key, everything else replaced."""
    return read_config([ROOT / "config.yaml", *(ROOT / overlay for overlay in overlays)]).data()


def changed(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A config with an overlay on it."""
    return dict(node_of(config).merged(node_of(change)).data())


def planned(*overlays: str, change: Mapping[str, Any] = MappingProxyType({})) -> Units:
    """The study of config.yaml with overlays and a change."""
    return Units(load_study(changed(merged(*overlays), dict(change))))
