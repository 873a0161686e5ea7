"""The study as a Workflow Run RO-Crate; it holds times, so it is no artifact and never comes from the cache."""

import argparse
import sys
from pathlib import Path

from pydantic import Field

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings


class Crate(Settings):
    """What a crate of the study says and holds."""

    license: str = Field(
        "Not stated: ask those who made the study.",
        min_length=1,
        description="the study's licence: a URL, or a sentence",
    )
    max_file_mb: float = Field(
        1.0, ge=0, description="files up to this size [MB] are included; larger ones are named by hash"
    )


def main(argv: list[str] | None = None) -> None:
    """The stage's command; the last line says ``error: ...`` when the crate can't be written or does not hold."""
    from workflow_scripts.provenance.crate.check import check
    from workflow_scripts.provenance.crate.write import write_crate

    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.stages.crate", allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="results/<study>/crate/ro-crate-metadata.json")
    parser.add_argument("--settings", required=True, help="settings as JSON")
    args = parser.parse_args(argv)
    try:
        settings = Crate.model_validate_json(args.settings)
        faults = check(write_crate(args.out.parents[1], settings.license, settings.max_file_mb).parent)
    except PipelineError as error:
        faults = [str(error)]
    if faults:
        sys.stderr.write("".join(f"error: {fault}\n" for fault in faults))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
