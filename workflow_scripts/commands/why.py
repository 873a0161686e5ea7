"""Where a file or number comes from: `python -m workflow_scripts.commands.why results/demo/report/index.html`.

A row of the summary's tables is named by its columns:
`... why results/demo/summary/summary.parquet run=simclr-revised-crop-resnet_small-s0 dataset=concept`.
"""

import argparse
import json
import sys
from pathlib import Path

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.provenance.cells import cells
from workflow_scripts.provenance.locate import locate
from workflow_scripts.provenance.why import as_json, as_text, why


def answer(file: Path, columns: dict[str, str], form: str, together: bool = True) -> str:
    """The answer as ``text`` or ``json``.

    Raises:
        PipelineError: no artifact names the file, or no row of the summary has these values.
    """
    place = locate(file)
    rows = cells(place.node, place.suffix, columns) if columns else []
    found = why(place, rows, together)
    return as_text(found) if form == "text" else json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n"


def main(argv: list[str] | None = None) -> None:
    """The command; exit status 1 when there is no answer."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.why", description=__doc__)
    parser.add_argument("file", type=Path, help="any file of a results folder")
    parser.add_argument("columns", nargs="*", metavar="COLUMN=VALUE", help="a row of the summary's table")
    parser.add_argument("--json", action="store_true", help="everything in the run records, for programs")
    parser.add_argument("--each", action="store_true", help="a branch for each artifact, even for a thousand shards")
    args = parser.parse_args(argv)
    wrong = [one for one in args.columns if "=" not in one]
    if wrong:
        parser.error(f"{wrong[0]!r} is not COLUMN=VALUE")
    columns = dict(one.split("=", 1) for one in args.columns)
    with plain_errors():
        sys.stdout.write(answer(args.file, columns, "json" if args.json else "text", not args.each))


if __name__ == "__main__":
    main()
