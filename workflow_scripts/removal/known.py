"""What is known of the rows that were removed from a study, kept beside the note of its config.

Files that show an image are found by its id, and the tables that hold the id are deleted by the first removal. So the
tokens of ids, and what was found to show them, are on disk before anything is deleted, and every call compares again.
"""

from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import REMOVED
from workflow_scripts.core.files.notes import read_note, write_note

LARGEST = 1 << 30  # bytes, with 70 for each id
_ADVICE = "restore it from a copy; without it, sheets, pages and networks may be missed whose records are missing too"


@dataclass
class Known:
    """The note on a study's removed rows.

    Attributes:
        ids: tokens of their image ids.
        sheets: path of a label sheet or exported page that showed one -> its key or record.
        networks: record of an exported network that learned from some -> its folder, the sha256 of its weights and the
            tokens of their ids.
    """

    ids: set[str] = field(default_factory=set)
    sheets: dict[str, str] = field(default_factory=dict)
    networks: dict[str, tuple[str, str, list[str]]] = field(default_factory=dict)


def note_of(results: Path, study: str) -> Path:
    """The file with what is known."""
    return results / REMOVED / f"{study}.json"


def read_known(results: Path, study: str) -> Known:
    """What earlier removals found.

    Raises:
        PipelineError: the note is damaged.
    """
    path = note_of(results, study)
    content = read_note(path, _ADVICE, LARGEST)
    if not content:
        return Known()
    try:
        networks = {record: (folder, weights, ids) for record, (folder, weights, ids) in content["networks"].items()}
        return Known(set(content["ids"]), dict(content["sheets"]), networks)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PipelineError("damaged note", path, "it has other fields", _ADVICE) from None


def write_known(results: Path, study: str, known: Known) -> None:
    """Keep what is known; on disk when this returns."""
    if known != Known():
        content = {"ids": sorted(known.ids), "sheets": known.sheets, "networks": known.networks}
        write_note(note_of(results, study), content)
