"""Configs for tests: ``config.yaml`` with overlays."""

from pathlib import Path
from typing import Any

from workflow_scripts.study.config.files import node_of, read_config

ROOT = Path(__file__).resolve().parents[3]


def merged(*overlays: str) -> dict[str, Any]:
    """config.yaml with overlays, merged as Snakemake does: mappings by key, everything else replaced."""
    return read_config([ROOT / "config.yaml", *(ROOT / overlay for overlay in overlays)]).data()


def changed(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A config with an overlay on it."""
    return dict(node_of(config).merged(node_of(change)).data())
