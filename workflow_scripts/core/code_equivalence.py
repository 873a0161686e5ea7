"""Code that counts as older code: ``results/.accepted.json``, written by ``faithful-pairs accept``.

An edit that a person vouches for need not remake what took days: today's digest of the stage's code then counts as the
digest that the artifacts were made by. Their keys, cache entries and work folders stay valid as they are, and Snakemake
sees the parameter that it knows. Undoing the edit needs nothing; another edit needs another acceptance.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.notes import read_note, write_note

FIELDS = ("stage", "code", "counts_as", "reason", "when")
_ADVICE = "delete it, then accept again with faithful-pairs accept; run records say what was accepted"


def accepted(results: Path) -> list[dict[str, str]]:
    """All acceptances of a results folder, oldest first: stage, code, counts_as, reason, when.

    Raises:
        PipelineError: the file is damaged.
    """
    entries = read_note(acceptances_file(results), _ADVICE).get("accepted", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) and set(one) == set(FIELDS) for one in entries):
        value = f"fields must be {', '.join(FIELDS)}"
        raise PipelineError("not a list of acceptances", acceptances_file(results), value, _ADVICE)
    return entries


def accept(results: Path, entry: dict[str, str]) -> None:
    """Add an acceptance; it replaces an older one of the same stage and code."""
    kept = [one for one in accepted(results) if (one["stage"], one["code"]) != (entry["stage"], entry["code"])]
    write_note(acceptances_file(results), {"accepted": [*kept, entry]})


def acceptances_file(results: Path) -> Path:
    """Where they are kept."""
    return results / ".accepted.json"


def in_force(stage: str, results: Path) -> dict[str, str] | None:
    """The acceptance by which today's code of a stage counts as other code, or None."""
    return among(accepted(results), stage)


def among(entries: Iterable[dict[str, str]], stage: str) -> dict[str, str] | None:
    """The one of these acceptances that is in force for a stage, or None."""
    today = code_digest(stage)
    return next((one for one in entries if (one["stage"], one["code"]) == (stage, today)), None)


def counted_code(stage: str, results: Path) -> str:
    """The digest that stands in keys, params and run records: today's, or the one that it counts as."""
    return counted(accepted(results), stage)


def counted(entries: Iterable[dict[str, str]], stage: str) -> str:
    """The same by these acceptances."""
    entry = among(entries, stage)
    return code_digest(stage) if entry is None else entry["counts_as"]


def accepted_part(stage: str, results: Path) -> dict[str, Any]:
    """What a run record says of it: ``accepted`` with both digests, reason and time; empty when none is in force."""
    entry = in_force(stage, results)
    return {} if entry is None else {"accepted": entry}
