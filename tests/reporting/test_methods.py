"""Methods as prose and table: what the config says, with the works that are cited; names can't become markup."""

import re
from dataclasses import replace

import pytest

from tests.study.config.configs import planned
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.reporting.methods import (
    Counts,
    as_latex,
    as_text,
    cite,
    cited,
    paragraphs,
    runs_table,
    settings_table,
)
from workflow_scripts.reporting.references import bibliography, cited_for, references
from workflow_scripts.reporting.settings import Methods, Report
from workflow_scripts.reporting.terms import SYNTHETIC
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

ROWS = {"in": 54, "out": 50, "dropped": {"empty_caption": 1, "repeated_id": 3}}
WITHOUT_A_PAPER = {"external", "supervised", "untrained"}


def of(*files: str) -> Report:
    settings = Units(load_study(read_config([*files]))).report_settings()
    return Report.model_validate(settings)


def text(settings: Report, counts: Counts = Counts()) -> dict[str, str]:  # noqa: B008
    return {paragraph.title: as_text(paragraph.text) for paragraph in paragraphs(settings, counts)}


@pytest.fixture(scope="module")
def full() -> Report:
    return of("config.yaml")


def test_prose_names_data_models_settings_and_seeds(full: Report) -> None:
    found = text(full, Counts(ROWS, ROWS, ["2019", "2020", "0"]))
    assert found["Data"].startswith(
        "Usable annotation rows of RedCaps (Desai et al. 2021), from 2019 to 2020: 50 of 54 (repeated id 3, no "
        "caption 1)."
    )
    assert "Salesforce/blip2-opt-2.7b at revision main (Li et al. 2023)" in found["Captions"]
    assert "sentence-transformers/all-mpnet-base-v2 at revision main (Song et al. 2020)" in found["Pairs"]
    for part in (
        "250,000 steps",
        "batches of 512 pairs",
        "a peak learning rate of 0.001 (0.001 per 512 pairs)",
        "mixed precision (fp16)",
    ):
        assert part in found["Pretraining"]
    assert "SimSiam on revised captions with augmentation crop (seeds 0, 1, 2)" in found["Pretraining"]
    assert "food101 (Bossard et al. 2014)" in found["Evaluation"] and "5-way, 5-shot" in found["Evaluation"]


def test_prose_says_how_contrasts_were_tested_only_as_far_as_they_were(full: Report) -> None:
    metrics = [f"linear_probe.{name}.accuracy" for name in ("lgssl", "sklearn")]
    row = {"contrast": "a - b", "primary": "declared", "verdict": "supported", "arms": 0, "level": "joint"}
    rows = [row | {"metric": metric} for metric in metrics]
    one = text(full, Counts(contrasts=rows))["Evaluation"]
    assert "Primary contrast: a − b in the linear probe (objectives lgssl and sklearn)." in one
    assert "random effects of seeds and classes, with Satterthwaite's degrees of freedom (Satterthwaite 1946) or" in one
    assert "conclusive only at p < 0.05 under each objective of the linear probe." in one
    assert "Holm" not in one and "moderated" not in one
    style = text(full, Counts(contrasts=[row | {"metric": "flips.a.b", "level": "image"}]))["Evaluation"]
    assert "random effects" not in style and style.endswith("conclusive only at p < 0.05.")
    others = [row | {"contrast": "a - c", "arms": 6} for row in rows]
    both = text(full, Counts(contrasts=[*rows, *others]))["Evaluation"]
    assert "moderated across arms (Smyth 2004)" in both and "corrected by Holm's method (Holm 1979): a − b" in both


def test_prose_names_maps_and_leaked_images_only_where_there_are_some(full: Report) -> None:
    counts = Counts(leaked={"masks": (12, 204), "concept": (0, 400)})
    told = text(of("config.yaml", "profiles/demo/study.yaml"), counts)["Evaluation"]
    assert "and Grad-CAM maps (Selvaraju et al. 2017) of layer3 and layer4 against object masks" in told
    assert "that the search for near copies finds among the study's images: 12 of 204 in masks. Near" in told
    change = {"datasets": [{"name": "own", "kind": "folders", "source": "own"}], "probe_dataset": None, "contrasts": []}
    runs = [{"method": "simclr", "pairs": "revised"}]
    own = planned("profiles/demo/study.yaml", change=change | {"pretraining": {"probe": None}, "runs": runs})
    settings = Report.model_validate(own.report_settings())
    told = text(settings, Counts())["Evaluation"]
    assert (
        "20 weighted nearest neighbours (Wu et al. 2018). The cost of the probe is chosen on validation" in told
        and "Grad-CAM" not in told
    )
    assert "nearly equal" not in told and not any("saliency" in key for _, key, _ in settings_table(settings.methods))


def test_images_without_a_partner_are_counted_if_there_are_some() -> None:
    demo = of("config.yaml", "profiles/demo/study.yaml")
    every = Counts(paired={"original": (288, 288), "revised": (288, 288)})
    assert "with a partner" not in text(demo, every)["Pairs"]
    some = Counts(paired={"original": (288, 288), "revised": (230, 288)})
    known = "Images with a partner: 288 of 288 for original captions and 230 of 288 for revised captions."
    assert known in text(demo, some)["Pairs"]
    every = replace(some, common={"in": 288, "out": 230, "dropped": {"not_common": 58}})
    told = text(demo, every)["Pairs"]
    assert "Pairs whose partner" not in told
    told = text(demo, replace(every, elsewhere=[0, 58, 7]))["Pairs"]
    assert "Pairs whose partner is not one of these, by run: 0 to 58." in told
    common = "Sources of pairs are the 230 of 288 images that have a partner or a caption in all runs."
    assert f"{known} Runs on these pairs leave the others out. {common}" in told


def test_images_without_a_caption_are_counted_if_there_are_some() -> None:
    demo = of("config.yaml", "profiles/demo/study.yaml")
    every = Counts(images=ROWS, captioned={"original": 50, "revised": 50})
    assert "with a caption" not in text(demo, every)["Captions"]
    told = text(demo, replace(every, captioned={"original": 50, "revised": 40}))["Captions"]
    assert "Images with a caption: 50 of 50 in original and 40 of 50 in revised. Pairs by" in told


def test_untrained_networks_and_augmentations_are_described() -> None:
    told = text(of("config.yaml", "profiles/demo/study.yaml"), Counts())
    assert "we also evaluate the untrained network (seeds 0, 1, 2)." in told["Pretraining"]
    assert (
        "Augmentations: crop, random crops only (crops of 50% to 100% of the area); simclr, SimCLR's"
        in told["Pretraining"]
    )
    assert "shuffled, the caption of another image (base: original)" in told["Captions"]
    folds = "or, where there are fewer than 2,000, by 5-fold cross-validation over all but test images."
    assert folds in told["Evaluation"]


def test_fewer_classes_than_ways_and_shared_training_images_are_told() -> None:
    demo = of("config.yaml", "profiles/demo/study.yaml")
    ways = demo.methods.evaluation["few_shot.ways"]
    told = text(demo, Counts(sets={"concept": (9, 9, 9, ways - 1), "masks": (9, 9, 9, ways)}))["Evaluation"]
    assert f"Episodes have fewer ways where a set has fewer classes, at most {ways - 1} of concept." in told
    assert "the same images for training" not in told
    told = text(demo, Counts(alike=[["concept", "masks"]]))["Evaluation"]
    assert "concept and masks have the same images for training and validation." in told


def test_the_demo_is_called_synthetic_and_names_no_redcaps() -> None:
    found = text(of("config.yaml", "profiles/demo/study.yaml"), Counts(ROWS))
    assert "ITM; shuffled" in found["Captions"] and "judge" not in found["Captions"]
    assert found["Data"].startswith(f"{SYNTHETIC}.") and "RedCaps" not in " ".join(found.values())


def test_prose_has_the_words_of_tables_and_no_keys_of_the_config() -> None:
    sets = {"concept": (800, 100, 200, 12), "masks": (9, 9, 1204, 12), "unused": (1, 1, 1, 1)}
    found = text(of("config.yaml", "profiles/demo/study.yaml"), Counts(ROWS, sets=sets))
    whole = " ".join(found.values())
    for part in (
        "pairs by label (oracle), random other images with the same ground-truth label (control), one partner per "
        "image from all images; original captions, the nearest neighbours by minilm among captions of original, one",
        "captions is language-guided sampling (El Banani et al. 2023",
        "A captioning model (one that ships with the workflow) wrote",
        "SimCLR on self pairs with augmentation simclr (seeds 0, 1, 2); SimCLR on original captions",
        "the supervised network with augmentation crop (seed 0). Augmentations:",
        "the test sets concept and masks. Images for training, validation and tests (classes): concept 800, 100 and "
        "200 (12) and masks 9, 9 and 1,204 (12).",
        "among the same. Few-shot episodes have as many ways and shots as in language-guided sampling (El Banani",
    ):
        assert part in whole
    assert not re.search("workflow_scripts|scope|For reference", whole)


def test_protocols_are_named_only_where_they_apply(full: Report) -> None:
    how = full.methods.evaluation | {"few_shot.shots": 1}
    pairs = {"random": "random images (k 5, scope subreddit_year, seed 1)"}
    methods = full.methods.model_copy(update={"evaluation": how, "pairs": pairs})
    found = text(full.model_copy(update={"methods": methods}))
    assert "random images, 5 partners per image from images of the same subreddit and year (seed 1)." in found["Pairs"]
    assert "El Banani" not in found["Pairs"] + found["Evaluation"]


def test_tables_hold_what_runs_share_and_what_they_vary() -> None:
    methods = of("config.yaml", "profiles/claims/full/c4.yaml").methods
    table = {key: value for _, key, value in settings_table(methods)}
    assert table["batch_size"] == "512" and not {"cache_mb", "checkpoint_every", "log_every"} & table.keys()
    assert all(not set(run.settings) & set(methods.training) for run in methods.runs)
    assert len(runs_table(methods)) == len(methods.runs)


def test_every_method_and_public_set_has_a_reference() -> None:
    assert {name for name in METHODS if not cited_for(f"method:{name}")} == WITHOUT_A_PAPER
    assert [name for name in SETS if not cited_for(f"set:{name}")] == []


def test_the_bibliography_has_the_cited_works_alone(full: Report) -> None:
    keys = cited(paragraphs(full, Counts(ROWS)))
    written = bibliography(keys)
    assert re.findall(r"^@\w+\{(\w+),$", written, re.MULTILINE) == [key for key in references() if key in keys]
    assert written.count("{") == written.count("}") and "uses = " not in written and "licence = " not in written
    assert len(re.findall(r"^@", bibliography(references()), re.MULTILINE)) == len(references())


def test_names_are_text_in_prose_and_latex() -> None:
    hostile = "\\input{x}\ue000chen2020simclr\ue001"
    found = paragraphs(Report(study="s", methods=Methods(arms={hostile: "of somebody"})), Counts())
    assert cited(found) == []
    assert as_latex(found[0].text, lambda part: part.replace("\\", "/")).count("\\") == 0
    assert as_latex(f"a{cite('knn')}.", str) == "a~\\citep{wu2018instance}."


def test_nothing_known_gives_no_prose() -> None:
    assert paragraphs(Report(study="s"), Counts()) == []
