"""Code that counts as older code: ``results/.accepted.json``, written by ``tools.accept``.

An edit that a person vouches for need not remake what took days: today's digest of the stage's code then counts as the
digest that the artifacts were made by. Their keys, cache entries and work folders stay valid as they are, and Snakemake
sees the parameter that it knows. Undoing the edit needs nothing; another edit needs another acceptance.
"""

from pathlib import Path
from typing import Any

from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.durable import write_durable
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import pretty, read_json

FIELDS = ("stage", "code", "counts_as", "reason", "when")
_ADVICE = "correct it, or delete it and run tools.accept again"


def accepted(results: Path) -> list[dict[str, str]]:
    """All acceptances of a results folder, oldest first: stage, code, counts_as, reason, when.

    Raises:
        PipelineError: the file is damaged.
    """
    path = results / ".accepted.json"
    if not path.exists():
        return []
    entries = read_json(path, _ADVICE)
    if not isinstance(entries, list) or not all(isinstance(one, dict) and set(one) == set(FIELDS) for one in entries):
        raise PipelineError("not a list of acceptances", path, f"fields must be {', '.join(FIELDS)}", _ADVICE)
    return entries


def accept(results: Path, entry: dict[str, str]) -> None:
    """Add an acceptance; an older one of the same stage and code goes."""
    kept = [one for one in accepted(results) if (one["stage"], one["code"]) != (entry["stage"], entry["code"])]
    write_durable(results / ".accepted.json", pretty([*kept, entry]))


def in_force(stage: str, results: Path) -> dict[str, str] | None:
    """The acceptance by which today's code of a stage counts as other code, or None."""
    today = code_digest(stage)
    return next((one for one in accepted(results) if (one["stage"], one["code"]) == (stage, today)), None)


def counted_code(stage: str, results: Path) -> str:
    """The digest that stands in keys, params and run records: today's, or the one that it counts as."""
    entry = in_force(stage, results)
    return code_digest(stage) if entry is None else entry["counts_as"]


def accepted_part(stage: str, results: Path) -> dict[str, Any]:
    """What a run record says of it: ``accepted`` with both digests, reason and time; empty when none is in force."""
    entry = in_force(stage, results)
    return {} if entry is None else {"accepted": entry}
