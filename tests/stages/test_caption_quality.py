"""The stage ``caption_quality``."""

import json

import pyarrow.parquet as pq
import pytest

from tests.helpers import make_artifact, run
from tests.stages.captioned import Captioned, parquet
from workflow_scripts.stages import caption_quality


def test_summary_and_columns(given: Captioned) -> None:
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index}
    sources = {"matcher": given.checkpoints["matcher"]}
    settings = {"retrieval_sample": 6, "batch_size": 4}
    made = run(caption_quality.STAGE, given.results, "caption_quality/original", settings, inputs, {}, sources)
    table = pq.read_table(made.path(".parquet"))
    assert len(table) == 9
    assert table["retrieval_rank"].null_count == 3
    assert table["repeats"].to_pylist()[:2] == [2, 1]
    assert "caption" not in table.column_names  # the text stays in one place
    summary = json.loads(made.path(".json").read_bytes())
    assert summary["retrieval"]["n"] == 6
    assert summary["itm"]["all"]["n"] == 9
    assert summary["shares"]["repeated"]["value"] == pytest.approx(2 / 9)
    assert made.path(".png").read_bytes().startswith(b"\x89PNG")


def test_captions_of_another_index(given: Captioned, capsys: pytest.CaptureFixture[str]) -> None:
    arm = pq.read_table(given.arm("original").path(".parquet"))
    odd = make_artifact(given.results, "select_captions", "odd", {".parquet": parquet(arm.slice(1))})
    sources = {"matcher": given.checkpoints["matcher"]}
    with pytest.raises(SystemExit):
        inputs = {"captions": odd, "images": given.index}
        run(caption_quality.STAGE, given.results, "caption_quality/odd", {}, inputs, {}, sources)
    assert "error: captions not in index order in" in capsys.readouterr().err.splitlines()[-1]
