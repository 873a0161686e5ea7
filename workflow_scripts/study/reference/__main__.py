"""Writes the config reference, the schema and the tables of stages into ``docs/``; ``--check`` compares."""

import argparse
import json
import sys
from typing import Any

from workflow_scripts.core.digest import ROOT
from workflow_scripts.study.reference.page import page
from workflow_scripts.study.reference.reruns import Keys, Reruns
from workflow_scripts.study.reference.schema import config_schema
from workflow_scripts.study.reference.tables import (
    cost_tables,
    datasets_table,
    disk_table,
    files_table,
    origins_table,
    preset_table,
    rates_table,
    requests_table,
    with_tables,
)
from workflow_scripts.study.stages import stage_names

OUT = ROOT  # where the files are written


def documents() -> dict[str, str]:
    """The generated files: path in the repository -> content."""
    reruns = Reruns()

    def named(path: Keys, examples: list[Any]) -> str:
        return stages_text(reruns.stages(path, examples)) if examples else ""

    return {
        "docs/config.md": page(named),
        "docs/config.schema.json": json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/stages.md": with_tables(
            ROOT / "docs/stages.md",
            {"files": files_table(), "datasets": datasets_table(), "origins": origins_table()},
        ),
        "docs/cost.md": with_tables(
            ROOT / "docs/cost.md",
            {
                "costs": cost_tables(ROOT),
                "preset": preset_table(ROOT),
                "disk": disk_table(ROOT),
                "requests": requests_table(ROOT),
                "rates": rates_table(),
            },
        ),
    }


def stages_text(stages: list[str]) -> str:
    """Stages as listed in the reference; if nearly all are included, as all but the others."""
    others = sorted(stage_names() - set(stages))
    if not stages:
        return "*nothing*"
    if len(others) < len(stages) / 2:
        return f"all but {_listed(others)}"
    return _listed(stages)


def _listed(stages: list[str]) -> str:
    return ", ".join(f"`{stage}`" for stage in stages)


def main(argv: list[str] | None = None) -> int:
    """Write the files, or report which are out of date; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.study.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file is out of date")
    check = parser.parse_args(argv).check
    status = 0
    for name, text in documents().items():
        path = OUT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            sys.stderr.write(f"error: {name} is out of date; run: make docs\n")
            status = 1
        else:
            path.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
