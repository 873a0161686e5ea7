from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.inputs import read_captions
from workflow_scripts.pretraining.data.pairing import Pairing

KEYS = pa.chunked_array([["a", "b", "c", "d", "e"]])


def test_captions_of_a_pair_table_are_those_of_its_sources(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    pq.write_table(pa.table({"key": ["e", "a", "c", "b"], "caption": ["fifth", "first", " ", "second"]}), path)
    pairs = Pairing(np.array([0, 2, 3, 4]), np.array([0, 2, 3, 4, 5]), np.array([1, 4, 0, 0, 3]))
    pairing, texts = read_captions(pairs, KEYS, path)
    assert texts == ["first", "fifth"]  # c has a blank caption, d none, b no partner
    assert pairing.sources.tolist() == [0, 4]
    assert pairing.starts.tolist() == [0, 2, 3] and pairing.targets.tolist() == [1, 4, 3]


def test_captions_of_an_unknown_image_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    pq.write_table(pa.table({"key": ["x"], "caption": ["?"]}), path)
    with pytest.raises(PipelineError, match=r"captions\.parquet"):
        read_captions(Pairing(np.array([0]), np.array([0, 1]), np.array([1])), KEYS, path)
