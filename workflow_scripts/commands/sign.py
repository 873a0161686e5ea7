"""``faithful-pairs sign``: state what a study found, signed by an SSH key."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="private SSH key, or the public one of a key in an agent")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the statement; default: STUDY.statement.json, beside the study")
    ] = None,
) -> None:
    """Sign what a finished study found, with an SSH key.

    Writes an in-toto statement: the study's root hash, each primary contrast with value, interval and verdict, the
    commits of the code, and the models. The signature is in a file beside it. Anyone can check it with ssh-keygen, and
    the statement with verify --statement. A crate that is written afterwards contains both files.

    \b
    Examples:
      faithful-pairs sign results/demo --key ~/.ssh/id_ed25519

    \b
    Exit status:
      0  signed
      1  the study is not finished, or the key can't be used
      2  wrong usage
    """
    from workflow_scripts.provenance.statement import SUFFIX, as_text, sign, signature_of

    study = study.absolute()
    path = out or study.with_name(f"{study.name}{SUFFIX}")
    statement = sign(study, key, path)
    sys.stdout.write(as_text(statement, [f"statement {path}", f"signature {signature_of(path)}"]))
