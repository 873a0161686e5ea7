"""What became of the rows of a study, in one line."""

from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.files.bounded_json import read_object

WORDS = {
    "no_image": "{files} missing",
    "empty_caption": "without caption",
    "not_utf8": "not in UTF-8",
    "further_caption": "not chosen",
    "repeated_id": "with a repeated id",
    "http_4xx": "refused by their host",
}
"""Reasons that read badly as they are."""
MOST = 3  # reasons that are named


def counted(number: int, reason: str) -> str:
    """``15 files missing``."""
    words = WORDS.get(reason, reason.replace("_", " "))
    return f"{number:,} {words.format(files='file' if number == 1 else 'files')}"


def lost_rows(manifest: Path) -> str:
    """``80 rows, 65 images; 15 files missing: results/s/data_card/data_card.lost_rows.csv``, by the data card.

    Raises:
        OSError: the card is not there.
        ValueError: it is damaged.
        KeyError: likewise.
    """
    whole = str(manifest).removesuffix(MANIFEST)
    card = read_object(Path(f"{whole}.json"))
    lost = {reason: count for reason, count in card["states"].items() if reason != "ok"}
    text = f"{card['rows']:,} rows, {card['states'].get('ok', 0):,} images"
    if not lost:
        return text
    frequent = sorted(lost, key=lambda reason: (-lost[reason], reason))
    named = [counted(lost[reason], reason) for reason in frequent[:MOST]]
    if others := sum(lost[reason] for reason in frequent[MOST:]):
        named.append(f"{others:,} for other reasons")
    return f"{text}; {', '.join(named)}: {whole}.lost_rows.csv"
