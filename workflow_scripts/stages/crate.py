"""The study as a Workflow Run RO-Crate; it holds times, so it is no artifact and never comes from the cache."""

import argparse
import sys
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.crate.check import check
from workflow_scripts.provenance.crate.write import write_crate
from workflow_scripts.provenance.settings.crate import Crate


def main(argv: list[str] | None = None) -> None:
    """The stage's command; the last line says ``error: ...`` when the crate can't be written or does not hold."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.stages.crate", allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="results/<study>/crate/ro-crate-metadata.json")
    parser.add_argument("--settings", required=True, help="settings as JSON")
    args = parser.parse_args(argv)
    try:
        faults = check(write_crate(args.out.parents[1], Crate.model_validate_json(args.settings)).parent)
    except PipelineError as error:
        faults = [str(error)]
    if faults:
        sys.stderr.write("".join(f"error: {fault}\n" for fault in faults))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
