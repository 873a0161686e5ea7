"""A study of real photos with all-mpnet-base-v2, the sentence encoder of El Banani et al. (CVPR 2023), without network.

The environment variable ``MPNET`` names a folder with the model: ``../shared/data/fetch_mpnet.sh FOLDER`` makes it.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sentence_transformers import SentenceTransformer

from tests.workflow.checkout import NANO, Checkout, give_to_user

PHOTOS = 40
STUDY = """
study: mpnet
demo_world: null
annotations: {source: data/photos, years: null}
download: {keep: prepared, max_side: 128}
arms:
  - {name: original, kind: original}
  - {name: generated, kind: generated}
text_encoders:
  - {name: mpnet, source: MODEL}
judges:
  - {name: agreement, kind: agreement, encoder: mpnet, reference: generated}
pairs:
  - {name: original, arm: original, encoder: mpnet}
  - {name: generated, arm: generated, encoder: mpnet}
pair_quality: {label: null}
pretraining: {probe: null}
probe_dataset: null
runs:
  - {method: simclr, pairs: original, augmentation: crop, seeds: [0]}
datasets: []
"""


@pytest.fixture
def mpnet() -> Path:
    """Folder of the model; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("MPNET", "nowhere"))
    if not (folder / "model.safetensors").is_file():
        pytest.skip("the environment variable MPNET names no folder with all-mpnet-base-v2")
    return folder.resolve()


@pytest.mark.slow
@pytest.mark.shared
def test_a_study_of_real_photos_runs_up_to_pair_tables(shared_data: Path, mpnet: Path, fresh: Checkout) -> None:
    photos = pq.read_table(shared_data / "photos_captions/captions.parquet").slice(0, PHOTOS).to_pylist()
    data = fresh.folder / "data/photos"
    data.mkdir(parents=True)
    for photo in photos:
        (data / f"{photo['image_id']}.jpg").write_bytes((shared_data / "photos_captions" / photo["file"]).read_bytes())
        (data / f"{photo['image_id']}.txt").write_text(photo["captions"][0])
    (fresh.folder / "mpnet.yaml").write_text(yaml.safe_dump(yaml.safe_load(STUDY.replace("MODEL", str(mpnet)))))
    give_to_user(fresh.folder)
    results = fresh.folder / "results/mpnet"
    wanted = [*(f"pair_table/{arm}" for arm in ("original", "generated")), "judge_quality/agreement"]
    manifests = [f"results/mpnet/{name}.manifest.json" for name in wanted]
    status, printed = fresh.run(*manifests, *NANO, "mpnet.yaml")
    assert status == 0, printed[-3000:]
    vectors = np.load(results / "embed_captions/original.mpnet.npy")
    captions = pq.read_table(results / "select_captions/original.parquet")
    expected = SentenceTransformer(str(mpnet), device="cpu").encode(captions["caption"].to_pylist(), prompt="")
    assert vectors.shape == (PHOTOS, 768)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    similar = expected @ expected.T
    np.fill_diagonal(similar, -1)
    pairs = pq.read_table(results / "pair_table/original.parquet").to_pylist()
    keys = captions["key"].to_pylist()
    assert {row["source"]: row["target"] for row in pairs} == dict(
        zip(keys, np.take(keys, similar.argmax(1)), strict=True)
    )
    assert len(pq.read_table(results / "pair_table/generated.parquet")) == PHOTOS
