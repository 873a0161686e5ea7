"""The line about rows that were lost."""

import json
from pathlib import Path

from workflow_scripts.study.terminal.handler import lost_rows


def line(folder: Path, **states: int) -> str:
    (folder / "data_card.json").write_text(json.dumps({"rows": sum(states.values()), "states": states}))
    return lost_rows(f"{folder}/data_card").replace(f"{folder}/", "results/")


def test_lost_rows_are_counted_by_reason_with_the_file_that_lists_them(tmp_path: Path) -> None:
    assert line(tmp_path, ok=65, no_image=15) == (
        "80 rows, 65 images; 15 files missing: results/data_card.lost_rows.csv"
    )
    assert line(tmp_path, ok=1000, corrupt=2, bad_path=3, dns=1, not_utf8=7, tls=1) == (
        "1,014 rows, 1,000 images; 7 not in UTF-8, 3 bad path, 2 corrupt, 2 for other reasons: "
        "results/data_card.lost_rows.csv"
    )


def test_a_study_that_lost_nothing_has_no_list(tmp_path: Path) -> None:
    assert line(tmp_path, ok=80) == "80 rows, 80 images"
