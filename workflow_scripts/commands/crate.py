"""Write a study's Workflow Run RO-Crate: `python -m workflow_scripts.commands.crate results/demo`.

It stands in `results/demo/crate/`. With `--check` an existing crate is checked, also away from any study.
"""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.provenance.crate.check import check
from workflow_scripts.provenance.crate.write import write_crate
from workflow_scripts.stages.crate import Crate
from workflow_scripts.study.config.errors import placed, validation_errors
from workflow_scripts.study.config.files import Node


def main(argv: list[str] | None = None) -> None:
    """The command; exit status 1 when the crate can't be written or does not hold."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.crate", description=__doc__)
    parser.add_argument("folder", type=Path, help="the study's folder; with --check the crate's")
    parser.add_argument("--check", action="store_true", help="check a crate instead of writing one")
    for name, field in Crate.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=field.default, help=field.description)
    args = parser.parse_args(argv)
    with plain_errors():
        folder = args.folder if args.check else _write(args)
        faults = check(folder)
    sys.stderr.write("".join(f"error: {fault}\n" for fault in faults))
    if faults:
        raise SystemExit(1)
    sys.stdout.write(f"{folder}: whole, by our own checks of the Provenance Run Crate profile\n")


def _write(args: argparse.Namespace) -> Path:
    try:
        settings = Crate.model_validate({name: getattr(args, name) for name in Crate.model_fields})
    except ValidationError as error:
        raise placed(PipelineErrors(validation_errors(error, Crate, Node())), Node("the command line")) from None
    return write_crate(args.folder, settings.license, settings.max_file_mb).parent


if __name__ == "__main__":
    main()
