from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import run
from tests.stages.evaluation_chain import VIEW, Chain, made_images, make_run, make_world
from tests.study.config.configs import planned
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.runtime import stage as core_stage
from workflow_scripts.core.shards import TarImages, dataset_images
from workflow_scripts.evaluation.packed import load_packed
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import prepare
from workflow_scripts.stages import eval_dataset, eval_images, features


def test_images_and_masks_are_those_of_the_dataset_in_row_order(chain: Chain) -> None:
    made, dataset = Artifact(chain.images["masks"]), Artifact(chain.datasets["masks"])
    packed, images, masks = load_packed(made), dataset_images(dataset), dataset_images(dataset, "mask_")
    assert made.rows == {"in": 51, "out": 51, "dropped": {}}
    assert packed.masked.tolist() == np.flatnonzero(masks.size >= 0).tolist() and len(packed.masked) == 9
    for row in range(51):
        assert (packed.pixels[row] == prepare(images.image(row), VIEW.size).permute(1, 2, 0).numpy()).all()
    assert set(np.unique(packed.masks)) == {0, 1, 255}
    assert load_packed(Artifact(chain.images["concept"])).masks.shape == (0, VIEW.size, VIEW.size)


def test_workers_change_no_byte(chain: Chain, tmp_path: Path) -> None:
    copy = chain.copy_to(tmp_path / "results")
    before = copy.images["masks"].read_bytes()
    for path in (copy.results / ".cache/eval_images").iterdir():
        path.rename(copy.results / path.name)  # so that it is computed again
    assert made_images(copy.results, copy.datasets["masks"], ("--workers", "3")).manifest_path.read_bytes() == before


def test_69_checkpoints_on_a_set_decode_each_image_once(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs are those of the full study for one of its sets; only images and networks are small."""
    monkeypatch.setattr(core_stage, "machine", lambda *_: {})  # takes longer than the small network
    decoded: Counter[int] = Counter()
    decode = TarImages.pixels
    monkeypatch.setattr(TarImages, "pixels", lambda self, row: decoded.update([row]) or decode(self, row))
    units = planned()
    jobs = [one for one in map(features.STAGE.unit_of, units.evaluations) if one["dataset"] == "stl10"]
    packed = {units.images_seen(job)[0] for job in jobs}
    assert len(jobs) == 69 and len(packed) == 1
    settings, world = {"kind": "world", "task": "concept"}, {"world": make_world(results, each=1)}
    dataset = run(eval_dataset.STAGE, results, "eval_dataset/stl10", settings, world).manifest_path
    network = make_run(results)
    decoded.clear()
    for name in packed:
        unit = eval_images.STAGE.unit_of(Path(name).name.removesuffix(".manifest.json"))
        view = View.model_validate(units.settings("eval_images", unit)).model_copy(update={"size": 8, "side": 8})
        given = {"dataset": dataset}
        images = run(eval_images.STAGE, results, f"eval_images/stl10.{unit['view']}", view.model_dump(), given, unit)
    for job in jobs:
        inputs = {"run": network, "images": images.manifest_path}
        monkeypatch.setitem(job, "step", "last")  # the one checkpoint that the small network has
        run(features.STAGE, results, f"features/{'.'.join(job.values())}", {}, inputs, job)
    assert decoded == dict.fromkeys(range(27), 1)
