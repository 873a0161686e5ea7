from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.pretraining.data.inputs import read_captions, read_tokens
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.data.token_rows import TokenSizes

KEYS = pa.chunked_array([["a", "b", "c", "d", "e"]])


def test_captions_of_a_pair_table_are_those_of_its_sources(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    pq.write_table(pa.table({"key": ["e", "a", "c", "b"], "caption": ["fifth", "first", " ", "second"]}), path)
    pairs = Pairing(np.array([0, 2, 3, 4]), np.array([0, 2, 3, 4, 5]), np.array([1, 4, 0, 0, 3]))
    pairing, numbers = read_captions(pairs, KEYS, path)
    assert numbers.tolist() == [1, 0]  # c has a blank caption, d none, b no partner
    assert pairing.sources.tolist() == [0, 4]
    assert pairing.starts.tolist() == [0, 2, 3] and pairing.targets.tolist() == [1, 4, 3]


def test_tokens_of_a_pair_table_are_those_of_its_sources(tmp_path: Path) -> None:
    table, ids = tmp_path / "tokens.parquet", tmp_path / "tokens.npy"
    pq.write_table(pa.table({"key": ["e", "a", "c", "b"], "tokens": pa.array([3, 2, 0, 4], pa.int32())}), table)
    np.save(ids, np.arange(9, dtype=np.uint16))
    pairs = Pairing(np.array([0, 2, 3, 4]), np.array([0, 2, 3, 4, 5]), np.array([1, 4, 0, 0, 3]))
    pairing, rows = read_tokens(pairs, KEYS, table, ids, TokenSizes(20, 2, 19, 8))
    assert pairing.sources.tolist() == [0, 4]
    assert pairing.starts.tolist() == [0, 2, 3] and pairing.targets.tolist() == [1, 4, 3]
    assert rows[np.array([0, 1])].tolist() == [[3, 4, 19], [0, 1, 2]]
