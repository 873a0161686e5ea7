"""Jobs that share the work of a stage have shares that add up."""

import pytest

from tests.study.config.configs import planned
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.estimates.cost import loads

ROWS, IMAGES = 5_400_000, 3_240_000
CHANGE = {
    "judges": [{"name": "clip", "kind": "clip", "source": "models/clip"}],
    "image_encoders": [{"name": "clip", "source": "models/clip", "parts": 3}],
}


@pytest.mark.parametrize("stage", ["image_hashes", "score_captions", "embed_images_part", "download"])
def test_shares_add_up(stage: str) -> None:
    units, declared = planned(change=CHANGE), declaration(stage)
    assert declared is not None
    names = units.names(stage)
    assert names
    first = names[0].rpartition(".")[0]
    names = [name for name in names if name.rpartition(".")[0] == first]
    found = list(loads(units, declared, names, ROWS, IMAGES))
    assert sum(count for _, count in found) == len(names) > 1
    assert sum(load.rows * count for load, count in found) == pytest.approx(ROWS)
    assert sum(load.images * count for load, count in found) == pytest.approx(IMAGES)


def test_some_of_the_blocks_have_the_share_of_their_shards() -> None:
    units, declared = planned(change=CHANGE), declaration("image_hashes")
    assert declared is not None and len(units.shards) == 540
    names = units.names("image_hashes")
    assert names
    found = loads(units, declared, [names[0], names[-1]], ROWS, IMAGES)
    assert [load.images for load, _ in found] == pytest.approx([IMAGES * 50 / 540, IMAGES * 40 / 540])
