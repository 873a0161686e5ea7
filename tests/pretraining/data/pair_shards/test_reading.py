"""A training from pair shards learns the same of each pair, and its batches depend on seed and step alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.pretraining.shapes import HEADS, of_method, plan
from tests.stages.test_pair_shard import KEYS, SOURCES, pair_table, shards
from tests.stages.test_pretrain import make_index
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import index_images
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.batch import Batch
from workflow_scripts.pretraining.data.inputs import read_pairing
from workflow_scripts.pretraining.data.learned import learned_rows
from workflow_scripts.pretraining.data.loader import Batches, CutBatch
from workflow_scripts.pretraining.data.pair_shards.block_images import in_blocks
from workflow_scripts.pretraining.data.pair_shards.block_order import BlockOrder
from workflow_scripts.pretraining.data.pair_shards.reading import in_shards
from workflow_scripts.pretraining.data.pairing import among, with_itself
from workflow_scripts.pretraining.data.ring.ring import load
from workflow_scripts.pretraining.plan import Plan, read_plan, write_plan
from workflow_scripts.pretraining.settings import METHODS

IMAGES = pa.chunked_array([KEYS[:7], KEYS[7:]])


def finish(batch: CutBatch) -> Batch:
    return batch.finish()


def batches(made: Plan, processes: int = 1, part: tuple[int, int] = (0, 1), readers: int = 2) -> Batches:
    views = [(view, AUGMENTATIONS["simclr" if view.image == "source" else "crop"]) for view in made.settings.views]
    images = in_blocks(made.images, made.blocks, processes * part[1])
    learned, _ = learned_rows(made)
    return Batches(
        images, False, readers, made.pairing, made.order, views, 24, 0, part, learned, faithfulness=made.faithfulness
    )


@pytest.fixture
def language(results: Path) -> Plan:
    """A run over pairs with up to two partners, from shards."""
    make_index(results)
    table = pair_table(results).with_name("revised.parquet")
    own = {"method": "multi_positive", "simclr": None, "multi_positive": HEADS["multi_positive"], "batch_size": 4}
    made = plan(results / "plan", 20, pairs="language", **own)
    plain = replace(made, pairing=read_pairing(made.settings, IMAGES, table), captions=np.arange(SOURCES))
    return in_shards(plain, IMAGES, shards(results)[1])


@pytest.mark.parametrize("method", [name for name, one in METHODS.items() if one.objective is not None])
def test_every_method_learns_the_same_of_a_pair(results: Path, method: str) -> None:
    make_index(results)
    kind = METHODS[method].pairs[0]
    made = plan(results / "plan", 20, **of_method(method, 20))
    name = "self"
    if "pairs" in made.settings.inputs:
        made, name = (
            replace(
                made, pairing=read_pairing(made.settings, IMAGES, pair_table(results).with_name("revised.parquet"))
            ),
            "revised",
        )
        kept = made.pairing.sources
        made = replace(
            made,
            captions=None if made.captions is None else made.captions[kept],
            tokens=None if made.tokens is None else made.tokens.of(kept),
            vectors=None if made.vectors is None else made.vectors.of(kept),
        )
    _, index = shards(results, name)
    sharded = in_shards(made, IMAGES, index)
    assert len(sharded.pairing) == len(made.pairing) and kind == made.settings.pairs
    files = [made.images.bytes(row) for row in range(20)]
    for position, (source, start, stop) in enumerate(
        zip(sharded.pairing.sources, sharded.pairing.starts[:-1], sharded.pairing.starts[1:], strict=True)
    ):
        image = files.index(sharded.images.bytes(int(source)))
        place = int(np.searchsorted(made.pairing.sources, image))
        partners = [files.index(sharded.images.bytes(int(row))) for row in sharded.pairing.targets[start:stop]]
        assert partners == made.pairing.targets[made.pairing.starts[place] : made.pairing.starts[place + 1]].tolist()
        for mine, theirs in zip(learned(sharded, position), learned(made, place), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        if made.faithfulness is not None:
            assert sharded.faithfulness[source] == made.faithfulness[image]


def learned(made: Plan, position: int) -> list[Any]:
    rows, _ = learned_rows(made)
    return [np.asarray(rows[name](np.array([position]))) for name in sorted(rows)]


def test_no_byte_depends_on_processes_threads_and_readers_or_on_a_start_in_between(language: Plan) -> None:
    steps = range(2, 14)
    expected = list(load(batches(language), finish, steps, processes=0, workers=1))
    seen = {tuple(batch.views[0].flatten(1).sum(1).tolist()) for batch in expected}
    assert len(seen) == len(steps)
    for processes, workers, readers, first in ((0, 3, 1, 2), (1, 2, 4, 7), (3, 1, 2, 2), (2, 2, 2, 11)):
        made = list(
            load(batches(language, processes or 1, readers=readers), finish, range(first, 14), processes, workers)
        )
        for mine, theirs in zip(made, expected[first - 2 :], strict=True):
            assert mine.step == theirs.step
            assert all(torch.equal(*views) for views in zip(mine.views, theirs.views, strict=True))
    halves = [list(load(batches(language, 2, (rank, 2)), finish, steps, 2, 1)) for rank in (0, 1)]
    for whole, *parts in zip(expected, *halves, strict=True):
        joined = torch.cat([part.views[0] for part in parts])
        torch.testing.assert_close(joined, whole.views[0], rtol=1e-5, atol=1e-5)


def test_a_batch_shows_the_images_of_its_pairs(language: Plan) -> None:
    """Read one by one, the images are the same: blocks only say how they are read."""
    one_by_one = replace(batches(language), images=language.images)
    for step in (1, 5):
        mine, theirs = batches(language).cut(step), one_by_one.cut(step)
        assert torch.equal(mine.pixels, theirs.pixels)


def test_pairs_that_are_left_out_are_skipped(language: Plan, results: Path) -> None:
    made = plan(results / "few", 20, batch_size=4)
    pairing, _ = among(with_itself(20), np.array([1, 4, 5, 11, 17]))
    few = in_shards(replace(made, pairing=pairing, labels=np.arange(5)), IMAGES, shards(results, "self")[1])
    files = [made.images.bytes(row) for row in range(20)]
    shown = [files.index(few.images.bytes(int(row))) for row in few.pairing.sources]
    assert sorted(shown) == [1, 4, 5, 11, 17]
    assert few.labels is not None and [[1, 4, 5, 11, 17][label] for label in few.labels] == shown


def test_sources_that_the_shards_lack_are_an_error(language: Plan, results: Path) -> None:
    made = plan(results / "all", 20)
    index = shards(results)[1]
    with pytest.raises(PipelineError, match=r"pairs that the shards do not hold in .*: 17 of 20 sources; the shards"):
        in_shards(made, IMAGES, index)
    with pytest.raises(PipelineError, match=r"unknown image key in .*revised.parquet"):
        in_shards(made, IMAGES.slice(0, 9), index)


def test_processes_of_a_run_get_the_same_plan(language: Plan, results: Path) -> None:
    write_plan(language, results / "plan.npz")
    back = read_plan(results / "plan.npz")
    np.testing.assert_array_equal(back.blocks, language.blocks)
    assert type(back.order) is BlockOrder
    np.testing.assert_array_equal(back.order.positions(7), language.order.positions(7))
    assert len(index_images(shards(results)[1])) == len(back.images)
