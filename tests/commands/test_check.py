"""What ``faithful-pairs check`` prints of a study, without Snakemake."""

import re
from pathlib import Path

import pytest
import yaml

from tests.study.config.configs import planned
from workflow_scripts.commands.main import main
from workflow_scripts.study.config.stages import declaration, stages_in_order

DEMO = "profiles/demo/study.yaml"
STAGES = [stage for stage in stages_in_order() if declaration(stage) is not None]


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An overlay of the demo's config, in a folder that has its models but no results."""
    for name in ("profiles", "workflow_scripts"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "over.yaml"


def test_check_prints_jobs_cost_effects_and_space(overlay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", DEMO]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    jobs = [len(planned(DEMO).needed(stage)) for stage in STAGES]
    assert lines[0] == f"jobs     {sum(jobs)} in {sum(map(bool, jobs))} stages" and lines[-1] == "demo can start"
    cost = r"cost about \d\d core minutes on this CPU for at most 3,115 images; "
    assert re.search(cost, " ".join(said.out.split()))
    assert any(re.match(r"effects  revised - original: from [\d.]+ points, if only seeds ", line) for line in lines)
    assert any(line.startswith("space    at most ") for line in lines)
    assert max(map(len, lines)) <= 80 and len(lines) <= 30 and said.err == ""
    assert sorted(path.name for path in overlay.parent.iterdir()) == ["profiles", "workflow_scripts"]


def test_effects_name_runs_and_the_chance_of_few_test_images(overlay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of 300 without splits."""
    for number in range(300):
        path = overlay.parent / f"own/{number % 3}/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    own = {"name": "own", "kind": "folders", "source": "own"}
    runs = [
        {"method": "simclr", "pairs": pairs, "augmentation": augmentation, "seeds": [0, 1, 2]}
        for pairs, augmentation in (("revised", "crop"), ("self", "simclr"))
    ]
    gain = {"name": "gain", "minuend": "revised", "subtrahend": "self", "primary": True}
    change = {"study": "x", "datasets": [own], "probe_dataset": None, "pretraining": {"probe": None}, "runs": runs}
    overlay.write_text(yaml.safe_dump({**change, "contrasts": [gain], "smallest_effect": 5.0}))
    main(["check", DEMO, "over.yaml"])
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(
        r"too little power in contrast gain: [\d.]+ points are needed if only seeds deviate, by 4.1, and smal", said
    )
    assert re.search(
        r"gain: from [\d.]+ points, if only seeds deviate, by 4.1; compares simclr revised crop with simclr self "
        r"simclr scores of about 150 test images deviate by up to 4.1 points by chance, so",
        said,
    )

    main(["power", "--configfile", DEMO, "--configfile", "over.yaml"])
    told = capsys.readouterr().out
    assert "| sd 4.08 |" in told and re.search(r"seeds needed for 5 points: at least \d+ if they deviate by 4.08", told)


def test_without_a_labelled_set_no_effect_is_promised(overlay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contrast = {"minuend": "revised", "subtrahend": "original", "primary": True}
    contrasts = [contrast | {"name": f"by {name}", "endpoint": name} for name in ("knn", "pair_purity")]
    change = {"study": "x", "datasets": [], "probe_dataset": None, "pretraining": {"probe": None}}
    overlay.write_text(yaml.safe_dump({**change, "contrasts": contrasts}))
    assert main(["check", DEMO, "over.yaml"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    sentence = "it is empty, so contrast by knn gets no verdict"
    assert f"warning no labelled set in datasets: {sentence}; add a set (docs/your-own" in said
    assert said.endswith(f"x can start, but no labelled set: {sentence}") and "by knn: from" not in said
    assert "effects by pair_purity: not estimated, since its endpoint pair_purity is not an accuracy" in said
    main(["power", *(word for file in (DEMO, "over.yaml") for word in ("--configfile", file))])
    told = capsys.readouterr().out
    assert sentence in told and "| by knn" not in told and "by knn: none" not in told


def test_mistakes_are_named_together_with_file_and_line(overlay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay.write_text("study: x\nshards: {shardz: 3}\ndownload: {attempts: none}\n")
    assert main(["check", DEMO, "over.yaml"]) == 1
    said = capsys.readouterr()
    assert "over.yaml:2 (shards.shardz): 'shardz'; did you mean shards?" in said.err
    assert "over.yaml:3 (download.attempts): 'none'; " in said.err
    assert said.out == "" and len(said.err.splitlines()) == 2


def test_missing_sources_and_misspelt_models_are_errors_below_the_figures(
    overlay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {"method": "simclr", "pairs": "self", "augmentation": "simclr"}
    backbones = [{"backbone": "timm:resnet50_32x4d"}, {"backbone": "torchvision:resnet5"}]
    change = {
        "study": "x",
        "recaption": {"captioner": "nowhere", "matcher": "hub:one/two/three@main"},
        "runs": [run | {"set": backbone} for backbone in backbones],
        "contrasts": [],
    }
    overlay.write_text(yaml.safe_dump(change))
    assert main(["check", DEMO, "over.yaml"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("jobs     ") and "can start" not in said.out
    assert [line.split(";")[0] for line in said.err.splitlines()] == [
        "error: missing source captioner in nowhere: nothing there",
        "error: wrong name of source encoder-blip2 (also judge-blip2, matcher) in hub:one/two/three@main: Repo id must "
        "be in the form 'repo_name' or 'namespace/repo_name': 'one/two/three'. Use `repo_type` a",
        "error: unknown architecture of timm in settings of run simclr-self-simclr-timm-resnet50_32x4d-s0: "
        "resnet50_32x4d",
        "error: unknown architecture of torchvision in settings of run simclr-self-simclr-torchvision-resnet5-s0: "
        "resnet5",
    ]
    assert "did you mean" in said.err and "resnext50_32x4d" in said.err and "resnet50" in said.err
