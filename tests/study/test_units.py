"""Which artifacts a study has, and what they are made from."""

from typing import Any

import pytest

from tests.study.config.configs import merged, planned
from workflow_scripts.core.declaration.parts import blocks
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.stages import declaration, facts
from workflow_scripts.study.estimates.cost import loads
from workflow_scripts.study.snakemake.arguments import other_arms
from workflow_scripts.study.units import Units

JUDGES = [{"name": "blip2", "kind": "blip2"}]
CLIP = {"name": "clip", "kind": "clip", "source": "models/clip"}
RIDGE = {"name": "ridge", "kind": "ridge", "source": "models/lite", "encoder": "mpnet", "photos": "data/photos"}
AGREEMENT = {"name": "agree", "kind": "agreement", "encoder": "mpnet", "reference": "generated"}


def units(**change: Any) -> Units:
    return planned(change={"judges": JUDGES, **change})


def jobs(study: Units) -> dict[str, Any]:
    """Artifact -> settings and sources of the job that scores."""
    found = {}
    for name in study.names("score_captions") or ():
        unit = dict(zip(("arm", "judge", "block"), name.split("."), strict=True))
        found[name] = study.settings("score_captions", unit), study.sources("score_captions", unit)
    return found


def test_a_new_judge_or_arm_only_adds_jobs() -> None:
    before = jobs(units())
    assert len(before) == 4 * 54
    judge, arm = jobs(units(judges=[*JUDGES, CLIP])), merged()["arms"]
    arm = jobs(units(arms=[*arm, {"name": "mixed", "kind": "mixed"}]))
    assert {name.split(".")[1] for name in judge.keys() - before.keys()} == {"clip"} and len(judge) == 2 * len(before)
    assert {name.split(".")[0] for name in arm.keys() - before.keys()} == {"mixed"} and len(arm) == 5 * 54
    for more in (judge, arm):
        assert {name: more[name] for name in before} == before


def test_a_study_without_judges_scores_nothing() -> None:
    found = planned(change={"judges": []})
    assert found.names("score_captions") == found.names("judge_quality") == found.names("judge_comparison") == []


def test_every_arm_is_compared_with_the_original() -> None:
    assert units().names("judge_comparison") == [arm for arm in units().arms if arm != "original"]
    arms = [arm if arm["name"] != "original" else {**arm, "kind": "generated"} for arm in merged()["arms"]]
    assert units(arms=arms).names("judge_comparison") == []


def test_judges_can_choose_between_arms_and_another_reference() -> None:
    found = units(judge_comparison={"reference": "generated"})
    others = [arm for arm in found.arms if arm != "generated"]
    assert found.names("judge_comparison") == others and "original" in others
    read = found.read("judge_comparison", "scores", {"arm": "original"})
    assert {name.split("/")[1].split(".")[0] for name in read} == {"generated", "original"}
    unit = {"arm": "revised"}
    assert found.settings("judge_comparison", unit) == units().settings("judge_comparison", unit)
    style = {"name": "style", "endpoint": "flips", "judge": "clip", "test": "equivalence", "margin": 5}
    sides = {"minuend": "original", "subtrahend": "generated"}
    found = units(judges=[CLIP], judge_comparison={"reference": "generated"}, contrasts=[{**style, **sides}])
    assert found.read("summary", "choices", {}) == ["judge_comparison/original"]


def test_a_judge_uses_its_model_or_else_the_matcher() -> None:
    found = units(judges=[*JUDGES, CLIP])
    sources = [found.sources("score_captions", {"arm": "a", "judge": name, "block": ""}) for name in found.judges]
    assert sources == [{"model": found.study.recaption.matcher.at}, {"model": "models/clip"}]
    labels = units(judges=[{**CLIP, "kind": "text_label", "encoder": "mpnet"}])
    given = labels.sources("score_captions", {"arm": "a", "judge": "clip", "block": ""})
    assert given == {"model": "models/clip", "text": labels.study.text_encoders[0].source.at}


def test_judges_of_photos_and_of_captions() -> None:
    found = units(judges=[RIDGE, AGREEMENT])
    encoder = found.study.text_encoders[0].source.at
    sources = [found.sources("score_captions", {"arm": "a", "judge": name, "block": ""}) for name in found.judges]
    assert sources == [{"model": "models/lite", "text": encoder, "photos": "data/photos"}, {"text": encoder}]
    assert [found.read("score_captions", "reference", {"judge": name}) for name in found.judges] == [
        [],
        ["select_captions/generated"],
    ]


def test_sources_of_judges_do_not_collide() -> None:
    labels = {"name": "labels", "kind": "text_label", "source": "models/labels", "encoder": "mpnet"}
    found = units(judges=[labels, {**CLIP, "name": "labels-text"}])
    encoder = found.study.text_encoders[0].source.at
    sources = [found.sources("score_captions", {"arm": "a", "judge": name, "block": ""}) for name in found.judges]
    assert sources == [{"model": "models/labels", "text": encoder}, {"model": "models/clip"}]


def test_a_scoring_job_has_only_the_settings_of_its_judge_kind() -> None:
    common = {"kind", "batch_size", "others", "images", "seed"}
    found = units(judges=[*JUDGES, CLIP])
    names = [set(found.settings("score_captions", {"arm": "a", "judge": name, "block": ""})) for name in found.judges]
    assert names == [common | {"max_text_tokens", "text_norm"}, common]


def test_the_cost_is_that_of_the_images_scored() -> None:
    for images, expected in ((None, 54_000), (5_400, 5_400), (10**9, 54_000)):
        found = units(judges=[{**JUDGES[0], "images": images}])
        stage, unit_of = declaration("score_captions"), facts("score_captions").cost.units
        assert stage is not None
        names = [name for name in found.names("score_captions") or () if name.startswith("original.")]
        made = loads(found, stage, names, 60_000, 54_000)
        assert sum(unit_of(load) * jobs for load, jobs in made) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"name": "clip", "kind": "clip"}, "missing source"),
        ({**CLIP, "encoder": "mpnet"}, "unused encoder"),
        ({**CLIP, "kind": "text_label"}, "missing encoder"),
        ({**CLIP, "kind": "text_label", "encoder": "mpnett"}, "unknown text encoder"),
        ({"name": "blip2", "kind": "blip2"}, "repeated name"),
        ({**CLIP, "temperature": 2.0}, r"unused temperature in .*judges.*: 2.0; remove it; kind clip has none"),
        ({"name": "clip", "kind": "blip2", "max_text_tokens": 2}, "greater than or equal to 3"),
        ({**RIDGE, "photos": None}, "missing photos .*null; kind ridge needs one"),
        ({**RIDGE, "reference": "generated"}, "unused reference .*generated; remove it; kind ridge has none"),
        ({**CLIP, "photos": "data/photos"}, "unused photos .*data/photos; remove it; kind clip has none"),
        ({**AGREEMENT, "reference": None}, "missing reference"),
        ({"name": "pac", "kind": "table"}, "missing source .*null; kind table needs one"),
        ({"name": "pac", "kind": "table", "source": "t.csv", "encoder": "mpnet"}, "unused encoder"),
        ({**AGREEMENT, "reference": "generatd"}, "unknown arm .*did you mean generated"),
        ({**AGREEMENT, "source": "models/clip"}, "unused source .*models/clip; remove it; kind agreement has none"),
    ],
)
def test_config_mistakes_are_reported(judge: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineErrors, match=said):
        units(judges=[*JUDGES, judge])


def test_a_table_of_scores_is_a_source_of_its_judge_alone() -> None:
    found = units(judges=[*JUDGES, {"name": "pac", "kind": "table", "source": "data/pac.parquet"}])
    assert found.sources("score_captions", {"judge": "pac"}) == {"table": "data/pac.parquet"}
    assert "judgetable-pac" in (found.names("source") or []) and "judge-pac" not in (found.names("source") or [])
    assert found.sources("score_captions", {"judge": "blip2"}).keys() == {"model"}


def test_blocks_are_consecutive_shards() -> None:
    shards = [f"{number:05d}" for number in range(5)]
    assert blocks(shards, 2) == ["00000-00001", "00002-00003", "00004-00004"]
    assert blocks(shards, 9) == ["00000-00004"]


def test_a_job_names_the_other_arms() -> None:
    assert other_arms("out", ["a", "b"], "a.clip.0-1") == [
        "--also",
        "out/score_captions/b.clip.0-1",
        "arm=b",
        "captions=out/select_captions/b.manifest.json",
    ]


RUNS = [{"method": "simclr", "pairs": "self", "augmentation": "crop"}]


def compared(**change: Any) -> Units:
    none = {"pairs": [], "pair_quality": {"image_encoder": None}, "runs": RUNS}
    return planned("tests/config/tiny.yaml", change=none | change)


def test_vectors_of_images_are_needed_if_test_images_are_compared_by_them() -> None:
    without, given = compared(leakage={"encoder": None}), compared(leakage={"encoder": "blip2"})
    assert (
        without.needed("embed_images")
        == []
        == without.names("embed_tests")
        == without.read("leakage", "vectors", {"dataset": "masks"})
    )
    assert given.needed("embed_images") == ["blip2"] and "encoder-blip2" in given.needed("source")
    names = [f"{name}.blip2" for name in given.reported]
    assert given.needed("embed_tests") == given.needed("vector_matches") == names != []
    assert given.read("leakage", "vectors", {"dataset": "masks"}) == ["vector_matches/masks.blip2"]


def test_only_the_vector_search_depends_on_the_cosine_limit() -> None:
    given = compared(leakage={"encoder": "blip2", "cosine": 0.7, "distance": 60})
    unit = {"dataset": "masks", "encoder": "blip2"}
    assert given.settings("vector_matches", unit) == {"cosine": 0.7}
    assert given.settings("leakage", unit) == {"distance": 60, "correlation": pytest.approx(0.93)}
    assert given.settings("embed_tests", unit) == given.settings("embed_images", unit)


def test_the_summary_reads_what_contrasts_without_runs_compare() -> None:
    inputs = ("pairs", "scores", "choices")
    plain = units(judges=[CLIP])
    assert [plain.read("summary", name, {}) for name in inputs] == [[], [], []]
    assert plain.settings("summary", {})["tables"] == [] and "discrimination" not in plain.settings("summary", {})
    of_captions = {"judge": "clip", "minuend": "revised", "subtrahend": "original"}
    listed: list[dict[str, Any]] = [
        {"name": "captions", "endpoint": "caption_score", **of_captions},
        {"name": "style", "endpoint": "flips", **of_captions, "test": "equivalence", "margin": 5},
        {"name": "orders", "endpoint": "orderings"},
    ]
    found = units(judges=[CLIP, *JUDGES], contrasts=listed)
    pairs, scores, choices = (found.read("summary", name, {}) for name in inputs)
    assert pairs == [] and choices == ["judge_comparison/revised"]
    assert {tuple(name.split("/")[1].split(".")[:2]) for name in scores} == {("original", "clip"), ("revised", "clip")}
    assert len(scores) == 2 * 54 and found.settings("summary", {})["discrimination"]["doses"] == found.doses()


def test_the_summary_reads_the_pair_tables_whose_purity_is_compared() -> None:
    terms = [{"weight": 1, "arm": "revised"}, {"weight": -1, "pairs": "original"}]
    purity = {"name": "purity", "endpoint": "pair_purity", "terms": terms}
    found = planned("profiles/demo/study.yaml", change={"contrasts": [purity]})
    tables = {table.name for table in found.study.pairs if table.arm == "revised" or table.name == "original"}
    assert found.read("summary", "pairs", {}) == [f"pair_quality/{name}" for name in found.names("pair_quality") or ()
                                                  if name in tables]  # fmt: skip
    assert {table["pairs"] for table in found.settings("summary", {})["tables"]} == tables


def test_only_pairs_of_the_same_day_read_when_images_were_posted() -> None:
    tables = [{"name": kind, "kind": kind, "arm": "original", "encoder": "mpnet"} for kind in ("random", "same_day")]
    found = units(pairs=tables, runs=[{"method": "untrained"}], contrasts=[])
    read = {kind: found.read("pair_table", "posts", {"pairs": kind}) for kind in ("random", "same_day")}
    assert read == {"random": [], "same_day": ["annotations/rows"]}
