"""The study as a Workflow Run RO-Crate; it contains times, so it is not an artifact and is never cached."""

import argparse
import sys
from pathlib import Path

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, Resources
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed
from workflow_scripts.core.settings import Settings, quantity


class CrateContents(Settings):
    """The study as a Workflow Run RO-Crate."""

    license: str = Field(
        "Not stated: ask those who made the study.",
        min_length=1,
        examples=["https://creativecommons.org/licenses/by/4.0/"],
    )
    """Licence of the study: a URL or a sentence."""
    max_file_mb: float = quantity(1.0, unit="MB", ge=0, examples=[10])
    """Maximum size of included files; larger ones are named by their hash."""


class Crate(CrateContents):
    """Everything that the crate depends on besides the study's artifacts."""

    published: dict[str, dict[str, bool]]
    """Stage: {suffix: included at any size}, of the files that may be included."""


FACTS = Facts(
    files={},
    resources=Resources(minutes=30, memory_mb=2_000, local=True),  # reads manifests and run records, copies small files
    cost=Cost(per="crate", units=lambda _: 1, core_ms=5_000, source="assumed"),
    settings=lambda units, _: units.crate_settings(),
)


def main(argv: list[str] | None = None) -> None:
    """The stage's command; the last line starts with ``error:`` if the crate can't be written."""
    from workflow_scripts.provenance.crate.write import write_crate

    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.stages.crate", allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="results/<study>/crate/ro-crate-metadata.json")
    parser.add_argument("--settings", required=True, help="settings as JSON")
    args = parser.parse_args(argv)
    try:
        write_crate(args.out.parents[1], **Crate.model_validate_json(args.settings).model_dump())
    except PipelineError as error:
        sys.stderr.write(printed([f"error: {error}"]))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
