"""Why two artifacts differ: `python -m workflow_scripts.commands.diff results/a/pair_table/revised.json results/b/...`.

Ends with status 0 when their content is the same, 1 when it differs, 2 when one of them is no artifact.
"""

import argparse
import json
import sys
from pathlib import Path

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.diff.diff import diff
from workflow_scripts.provenance.diff.text import as_json, as_text
from workflow_scripts.provenance.locate import locate


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.diff", description=__doc__)
    parser.add_argument("a", type=Path, help="any file of a results folder")
    parser.add_argument("b", type=Path, help="another one, of the same stage")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args(argv)
    with plain_errors(2):
        a, b = locate(args.a).node, locate(args.b).node
        if a.stage != b.stage:
            advice = "compare artifacts of one stage"
            raise PipelineError("artifacts of two stages", args.b, f"{a.stage} and {b.stage}", advice)
        found = diff(a, b)
    sys.stdout.write(json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n" if args.json else as_text(found))
    raise SystemExit(0 if found[-1].same_content else 1)


if __name__ == "__main__":
    main()
