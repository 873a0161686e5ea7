"""A study whose trainings read pair shards, on the smallest study."""

import json

import pytest
import yaml

from tests.workflow.checkout import ROOT, Checkout, now
from tests.workflow.test_matrix import MODELS

pytestmark = pytest.mark.slow


def test_shards_are_written_for_trainings_alone_and_come_from_the_cache_later(nano: Checkout) -> None:
    def run(section: dict[str, int] | None) -> set[str]:
        """Stages that were computed."""
        config = yaml.safe_load((ROOT / "tests/config/nano.yaml").read_text()) | {"pair_shards": section}
        (nano.folder / "edited.yaml").write_text(yaml.safe_dump(config))
        since = now()
        status, printed = nano.run("--profile", "profiles/demo", "--configfile", "edited.yaml")
        assert status == 0, printed[-4000:]
        return {record["stage"] for record in nano.records(since).values() if not record["cached"]}

    before = nano.hashes()
    assert run({"files": 2}) == {"pair_shard", "pair_shard_index", *MODELS}
    made = nano.hashes()
    study = nano.folder / "results/nano"
    assert {path.name for path in (study / "pair_shard").glob("*.images")} == {
        "revised.1-of-2.images",
        "revised.2-of-2.images",
    }
    (record,) = (json.loads(path.read_bytes()) for path in (study / "pretrain").glob("*.run.json"))
    assert [path.rpartition("/")[2] for path in record["input_files"]["shards"]] == ["revised.manifest.json"]
    changed = {path for path in before if made[path] != before[path]}
    assert any("/pretrain/" in path for path in changed) and not any("/pair_table/" in path for path in changed)
    assert run({"files": 2, "seed": 1}) >= {"pair_shard", "pair_shard_index", "pretrain"}
    assert run({"files": 2}) == set(), "everything is in the cache"
    assert nano.hashes() == made
    assert run(None) == set()
    assert {path: found for path, found in nano.hashes().items() if path in before} == before
