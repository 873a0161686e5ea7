"""The data card accounts for every row."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from workflow_scripts.acquisition.card.card import card, count_shards, link_rot, write_ids
from workflow_scripts.acquisition.card.figure import draw
from workflow_scripts.acquisition.shards.packing import SHARD
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import write_table


def table(path: Path, states: list[tuple[str, str, str, int, int | None]]) -> Path:
    rows = [
        {
            "key": f"k{n}",
            "state": state,
            "url": f"https://{host}/{n}",
            "subreddit": sub,
            "year": year,
            "http_status": code,
        }
        for n, (state, host, sub, year, code) in enumerate(states)
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SHARD))
    return path


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    ok = ("ok", "i.redd.it", "pics", 2020, 200)
    gone = ("http_4xx", "i.imgur.com", "pics", 2019, 404)
    late = ("timeout", "i.imgur.com", "a$b$", 2019, None)
    return [table(tmp_path / "0", [ok, ok, gone]), table(tmp_path / "1", [ok, late, gone]), table(tmp_path / "2", [])]


COUNTS: dict[str, Any] = {"rows": 9, "kept": 6, "apart": {"repeated_id": 2, "empty_caption": 1, "no_row": 1}}


def test_numbers_by_hand(tables: list[Path]) -> None:
    made = card(COUNTS, count_shards(tables))
    assert made["states"] == {"ok": 3, "http_4xx": 2, "timeout": 1} | COUNTS["apart"]
    assert sum(made["states"].values()) - 1 == made["rows"] == 9, "an image without a row is no row"
    assert made["http_status"] == {"http_4xx": {"404": 2}}
    assert made["kept"]["share"] == 0.5 and made["kept"]["urls"] == 6
    assert made["host"]["i.imgur.com"]["states"] == {"http_4xx": 2, "timeout": 1}
    assert made["year"]["2020"]["share"] == 1.0 and made["subreddit"]["pics"]["images"] == 3
    for name in ("host", "subreddit", "year"):
        assert sum(one["urls"] for one in made[name].values()) == 6


def test_cut_captions_are_counted_where_there_are_any(tables: list[Path]) -> None:
    assert "truncated" not in card(COUNTS, count_shards(tables))
    made = card({**COUNTS, "truncated": 2}, count_shards(tables))
    assert made["truncated"] == 2 and sum(made["states"].values()) == 10, "they are counted, not dropped"


def test_link_rot_and_kept_ids(tables: list[Path], tmp_path: Path) -> None:
    tally = count_shards(tables)
    rot = link_rot(tally).to_pylist()
    numbers = [(row["host"], row["year"], row["urls"], row["images"], row["share"]) for row in rot]
    assert numbers == [("i.imgur.com", 2019, 3, 0, 0.0), ("i.redd.it", 2020, 3, 3, 1.0)]
    assert rot[0]["low"] == 0.0 and 0.5 < rot[0]["high"] < 0.6  # Wilson's bound for 0 of 3 is 0.56
    ids = tally.kept_ids()
    assert ids.to_pylist() == ["k0", "k0", "k1"]  # of both shards, sorted
    made = []
    for name in ("a", "b"):
        write_ids(tmp_path / name, ids)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1] and gzip.decompress(made[0]) == b"k0\nk0\nk1\n"


def test_an_id_list_without_kept_rows_is_empty(tmp_path: Path) -> None:
    tally = count_shards([table(tmp_path / "0", [("timeout", "i.imgur.com", "pics", 2019, None)])])
    write_ids(tmp_path / "ids", tally.kept_ids())
    assert gzip.decompress((tmp_path / "ids").read_bytes()) == b""


def test_a_missing_shard_is_noticed(tables: list[Path]) -> None:
    with pytest.raises(PipelineError, match=r"rows unaccounted for.*3 rows in shards, 6 kept"):
        card(COUNTS, count_shards(tables[:1]))


def test_the_picture_is_the_same_bytes_and_large_enough(tables: list[Path], tmp_path: Path) -> None:
    tally = count_shards(tables)
    made, rot = card(COUNTS, tally), link_rot(tally).to_pylist()
    draw(made, rot, tmp_path / "a.png")
    draw(made, rot, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    image = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert image.shape[1] >= 900 and image.std() > 10
