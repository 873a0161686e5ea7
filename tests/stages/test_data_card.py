"""The data_card stage, run as the workflow runs it."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.helpers import run
from tests.stages.acquired import downloaded, planned
from workflow_scripts.stages import data_card

NAMES = [f"p{n}.jpg" for n in range(9)]


def test_the_data_card_accounts_for_every_row(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES, shards=2)
    with serving({f"/{name}": jpeg(seed=n) for n, name in enumerate(NAMES) if n not in (3, 8)}) as site:
        shards = [downloaded(results, made, shard, site.address).manifest_path for shard in range(2)]
    inputs = {"annotations": made["annotations"].manifest_path, "download": shards}
    card = run(data_card.STAGE, results, "data_card/data_card", {}, inputs)
    content = json.loads(card.path(".json").read_bytes())
    assert content["states"] == {"http_4xx": 2, "ok": 7, "repeated_id": 1}
    assert (content["captions"]["words"]["kept"]["n"], content["captions"]["words"]["lost"]["n"]) == (7, 2)
    assert card.rows == {"in": 10, "out": 7, "dropped": {"http_4xx": 2, "repeated_id": 1}}
    assert card.path(".png").read_bytes().startswith(b"\x89PNG")
    ids = gzip.decompress(card.path(".kept_ids.txt.gz").read_bytes()).decode().split()
    assert ids == [f"p{n}" for n in range(9) if n not in (3, 8)]
    rot = pq.read_table(card.path(".link_rot.parquet")).to_pylist()
    assert [(row["host"], row["year"], row["urls"], row["images"]) for row in rot] == [("photos.test", 2020, 9, 7)]
    lost = card.path(".lost_rows.csv").read_text().splitlines()
    assert lost[0] == '"id","file_or_url","reason"' and len(lost) == 4
    assert sorted(row.rpartition(",")[2] for row in lost[1:]) == ['"http_4xx"', '"http_4xx"', '"repeated_id"']
    assert '"p8","http://photos.test/p8.jpg","http_4xx"' in lost
