"""Code that counts as older code: ``results/.accepted.json``, written by ``faithful-pairs accept``.

If a user vouches that an edit can't change results, artifacts that took days need not be recomputed: the current digest
of the stage's code then counts as the digest that the artifacts were made by. Their keys, cache entries and work
folders stay valid, and the parameters of their jobs stay the same. Undoing the edit requires no acceptance; a further
edit does.
"""

from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.core.digest import Uses, code_digest
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.notes import read_note, write_note

FIELDS = ("stage", "code", "counts_as", "reason", "when")
_ADVICE = "delete it and repeat the acceptances with faithful-pairs accept; run records list them"


def accepted(results: Path) -> list[dict[str, str]]:
    """All acceptances of a results folder, oldest first: stage, code, counts_as, reason, when.

    Raises:
        PipelineError: the file is damaged.
    """
    entries = read_note(acceptances_file(results), _ADVICE).get("accepted", [])
    if not isinstance(entries, list) or not all(_is_entry(one) for one in entries):
        value = f"fields must be {', '.join(FIELDS)}, all of them text"
        raise PipelineError("damaged list of acceptances", acceptances_file(results), value, _ADVICE)
    return entries


def _is_entry(value: object) -> bool:
    return isinstance(value, dict) and set(value) == set(FIELDS) and all(isinstance(one, str) for one in value.values())


def accept(results: Path, entry: dict[str, str]) -> None:
    """Add an acceptance; it replaces an earlier one of the same stage and code."""
    kept = [one for one in accepted(results) if (one["stage"], one["code"]) != (entry["stage"], entry["code"])]
    write_note(acceptances_file(results), {"accepted": [*kept, entry]})


def acceptances_file(results: Path) -> Path:
    """Path of the list of acceptances."""
    return results / ".accepted.json"


def in_force(stage: str, results: Path, uses: Uses = ()) -> dict[str, str] | None:
    """The acceptance by which the current code of a stage counts as earlier code, or None.

    Args:
        uses: entries of registries whose code counts.
    """
    return among(accepted(results), stage, uses)


def among(entries: Iterable[dict[str, str]], stage: str, uses: Uses = ()) -> dict[str, str] | None:
    """The one of these acceptances that applies to the current code of a stage, or None."""
    today = code_digest(stage, uses)
    return next((one for one in entries if (one["stage"], one["code"]) == (stage, today)), None)


def counted_code(stage: str, results: Path, uses: Uses = ()) -> str:
    """The code digest used in keys, params and run records: the current one, or the one that it counts as."""
    return counted(accepted(results), stage, uses)


def counted(entries: Iterable[dict[str, str]], stage: str, uses: Uses = ()) -> str:
    """The same as :func:`counted_code`, given the acceptances."""
    entry = among(entries, stage, uses)
    return code_digest(stage, uses) if entry is None else entry["counts_as"]
