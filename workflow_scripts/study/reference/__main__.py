"""Writes the schema and the tables in ``docs/``; ``--check`` compares them with those that are there."""

import argparse
import json
import sys

from workflow_scripts.core.digest import ROOT
from workflow_scripts.study.reference.schema import config_schema
from workflow_scripts.study.reference.tables import TABLES, with_tables

OUT = ROOT  # where the files are written


def documents() -> dict[str, str]:
    """The generated files: path in the repository -> content."""
    schema = json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
    return {"docs/config.schema.json": schema, **{page: with_tables(page, tables) for page, tables in TABLES.items()}}


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
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
