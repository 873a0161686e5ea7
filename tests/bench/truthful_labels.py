"""The ratings that a person who knows the truth would export."""

import csv
from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.core.files.names import LABEL_KEY, RATING_COLUMNS
from workflow_scripts.reporting.labels import items_of, key_file, sheet_name


def rate(folder: Path, captions: Mapping[str, Mapping[str, str]], faithful: Mapping[tuple[str, str], bool]) -> None:
    """Write the key of a sheet, and ratings of 3 for its faithful captions and 0 for the others.

    Args:
        captions: key -> arm -> caption.
        faithful: (key, arm) -> whether the caption is of the image.
    """
    items = items_of(captions, seed=0)
    sheet = sheet_name(items)
    (folder / f"sheet.html{LABEL_KEY}").write_bytes(key_file(items, sheet))
    with open(folder / "truth.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, RATING_COLUMNS, restval="")
        writer.writeheader()
        for item in items:
            for one in item.captions:
                good = 3 * max(faithful[item.key, arm] for arm in one.arms)
                row = {"sheet": sheet, "rater": "truth", "image": item.name, "caption": one.letter, "faithful": good}
                writer.writerow(row)
