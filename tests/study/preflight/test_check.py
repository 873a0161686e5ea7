"""What a run lacks is found before it starts: an error where it is certain to fail, else and in a dry run a warning."""

import importlib.util
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.study.config.configs import planned
from tests.study.preflight.jobs import Found, job, source
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.preflight.check import findings, tell
from workflow_scripts.study.preflight.findings import Finding, Start


def model(folder: Path, weights: bytes | None = b"weights", config: bool = True) -> Path:
    """A folder that looks like a checkpoint."""
    folder.mkdir()
    if config:
        (folder / "config.json").write_text("{}")
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_sources_that_no_planned_job_reads_are_not_checked(look: Callable[..., Found]) -> None:
    nowhere = {"recaption": {"captioner": "nowhere", "matcher": "nowhere"}}
    assert look([], nowhere) == {}
    assert look([job("data_card", "data_card")], nowhere) == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "missing source captioner in m: nothing there"),
        (lambda path: path.symlink_to("gone"), "missing source captioner in m: a link to gone, which does not exist"),
        (lambda path: path.symlink_to("m"), "unreadable source captioner in m: Too many levels of symbolic links"),
        (lambda path: path.write_text(""), "wrong source captioner in m: a file"),
        (os.mkfifo, "wrong source captioner in m: neither a file nor a folder"),
        (lambda path: path.mkdir(), "empty source captioner in m: no files"),
        (lambda path: model(path, config=False), "no model in source captioner in m: no config.json"),
        (lambda path: model(path, None), "no weights in source captioner in m: no *.safetensors"),
        (
            lambda path: model(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            "no weights in source captioner in m: model.safetensors is a Git LFS pointer",
        ),
        (lambda path: model(path), None),
    ],
)
def test_missing_or_unreadable_model_folders_are_reported(
    look: Callable[..., Found], make: Callable[[Path], object], message: str | None, tmp_path: Path
) -> None:
    make(tmp_path / "m")
    models = {"recaption": {"captioner": "m", "matcher": "m"}}
    found = look([source("captioner")], models)
    assert [(text.split(";")[0], certain) for text, certain in found.items()] == ([(message, True)] if message else [])
    reading = [job("recaption", "00000", ("captioner",), shard="00000")]
    assert list(look(reading, models).values()) == ([True] if message else [])
    # With a cache the job may find its artifact there, and then reads no model.
    (tmp_path / "results/.cache/recaption/key").mkdir(parents=True)
    assert list(look(reading, models).values()) == ([False] if message else [])


MINE = {"judges": [{"name": "mine", "source": "m", "kind": "clip"}]}
LABELS = {"judges": [{"name": "mine", "source": "m", "kind": "text_label", "encoder": "minilm"}]}
LITE0 = {"judges": [LABELS["judges"][0] | {"classifier": "efficientnet_lite0"}]}
WORDS = {"text_encoders": [{"name": "minilm", "kind": "word_vectors", "source": "m"}]}
CLIP_TEXT = {"text_encoders": [{"name": "minilm", "kind": "clip", "source": "m"}]}
CLIP_TOKENS = {"tokenizer": {"kind": "clip", "source": "m", "vocabulary": None}}
NO_TOKENIZER = "no tokenizer in source tokenizer in m: neither vocab.json and merges.txt nor tokenizer.json"
OWN = {"datasets": [{"name": "d", "kind": "folders", "source": "m"}], "probe_dataset": None}
RATINGS = {"caption_labels": {"source": "m/x", "replacement": "revised"}}


@pytest.mark.parametrize(
    ("name", "change", "files", "message"),
    [
        ("judge-mine", MINE, ["weights.pth"], "no model in source judge-mine in m: no config.json"),
        ("judge-mine", LABELS, ["weights.pth"], "no model in source judge-mine in m: no config.json"),
        ("judge-mine", LITE0, ["weights.pth"], None),
        ("encoder-minilm", WORDS, ["words.vec"], None),
        ("encoder-minilm", CLIP_TEXT, ["words.vec"], "no model in source encoder-minilm in m: no config.json"),
        ("tokenizer", CLIP_TOKENS, ["vocab.json", "merges.txt"], None),
        ("tokenizer", CLIP_TOKENS, ["tokenizer.json"], None),
        ("tokenizer", CLIP_TOKENS, ["vocab.json"], NO_TOKENIZER),
        ("labels", RATINGS, ["x"], "wrong source labels in m/x: a file"),
        ("dataset-d", OWN, ["a.jpg"], "no images in source dataset-d in m: {'not_class_and_name': 1}"),
        ("dataset-d", OWN, ["train/a/a.jpg"], "split missing in source dataset-d in m: ['train']"),
        ("dataset-d", OWN, ["train/a/a.jpg", "test/a/a.jpg"], None),
        ("dataset-d", OWN, ["train.tar", "test.tar"], None),
    ],
)
def test_sources_that_lack_what_their_kind_needs_are_reported(
    look: Callable[..., Found], tmp_path: Path, name: str, change: dict[str, Any], files: list[str], message: str | None
) -> None:
    (tmp_path / "m").mkdir()
    for file in files:
        (tmp_path / "m" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / file).touch()
    assert [text.split(";")[0] for text in look([source(name)], change)] == ([message] if message else [])


@pytest.mark.parametrize("at", ["é" * 300, "a\0b", "package:", "package:a..b/c", "package:no.such.module", "hub:"])
def test_impossible_source_locations_are_reported(look: Callable[..., Found], at: str) -> None:
    found = look(
        [source("captioner"), source("dataset-d")],
        {
            "recaption": {"captioner": at},
            "datasets": [
                {"name": "d", "kind": "torchvision", "torchvision_name": "dtd", "source": f"torchvision:{at}"}
            ],
            "probe_dataset": None,
            "pretraining": {"probe": None},
        },
    )
    assert any("source captioner" in text and certain for text, certain in found.items())


def test_all_preflight_findings_are_reported_together(look: Callable[..., Found], tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"no zip")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/x").write_text("x")
    change = {
        "annotations": {"source": "no.zip", "exclude_from": "removed.txt"},
        "text_encoders": [{"name": "minilm", "source": "package:no_such_module/model"}],
        "arms": [{"name": "own", "kind": "external", "table": "captions.csv"}],
        "pairs": [{"name": "revised", "arm": "own", "encoder": "minilm"}],
        "runs": [{"method": "simclr", "pairs": "revised"}],
        "datasets": [
            {"name": "masks", "kind": "masks", "source": "set"},
            {"name": "s50", "kind": "imagenet_s", "source": "set"},
        ],
        "probe_dataset": None,
        "download": {"imports": [{"kind": "img2dataset", "source": "shards"}]},
        "pretraining": {"probe": None},
    }
    names = ["annotations", "exclude", "captions-own", "encoder-minilm", "dataset-masks", "dataset-s50"]
    found = look([*map(source, names), job("download", "00000", shard="00000")], change)
    assert {text.split(";")[0]: certain for text, certain in found.items()} == {
        "wrong source annotations in no.zip: not a zip archive": True,
        "missing source exclude in removed.txt: nothing there": True,
        "missing source captions-own in captions.csv: nothing there": True,
        "missing Python package of source encoder-minilm in package:no_such_module/model: no_such_module": True,
        "incomplete source dataset-masks in set: no labels.parquet": True,
        "incomplete source dataset-s50 in set: no validation": True,
        "missing images to import in shards: nothing there": True,
    }
    with zipfile.ZipFile(tmp_path / "no.zip", "w") as archive:
        archive.writestr("x", "x")
    assert look([source("annotations")], change) == {}
    # Environments of their own have their own packages.
    assert look([source("encoder-minilm")], change, own_python=False) == {}


def test_a_path_with_a_tilde_is_to_be_written_in_full(look: Callable[..., Found]) -> None:
    (text,) = look([source("captioner")], {"recaption": {"captioner": "~/my_photos"}})
    assert text.startswith(
        "missing source captioner in ~/my_photos: nothing there; ~ is not expanded: write the full path"
    )


def test_missing_expected_files_of_a_package_are_reported(
    look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model((tmp_path / "some_model").with_name("some_model"))
    (tmp_path / "some_model/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    at = {"at": "package:some_model/", "expect": {"vocab.txt": "0" * 64}}
    change = {"text_encoders": [{"name": "minilm", "source": at}]}
    (text,) = look([source("encoder-minilm")], change)
    assert f"incomplete source encoder-minilm in {tmp_path}/some_model: no vocab.txt" in text


def test_hub_models_missing_in_offline_mode_are_reported(
    look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    change = {"recaption": {"captioner": "hub:nobody/nothing@main"}}
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (text,) = look([source("captioner")], change)
    assert "missing source captioner in hub:nobody/nothing@main: not on this disk, and HF_HUB_OFFLINE is set" in text
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert look([source("captioner")], change) == {}


def test_effects_that_are_too_small_to_find_are_a_warning(look: Callable[..., Found]) -> None:
    two = [
        {"method": "simclr", "pairs": one, "augmentation": "crop", "seeds": [0, 1, 2]} for one in ("revised", "visual")
    ]
    contrast = {"name": "gain", "minuend": "revised", "subtrahend": "visual", "primary": True}
    change = {"runs": two, "contrasts": [contrast], "smallest_effect": 1.0}
    train = [job("pretrain", "simclr-revised-crop-resnet_small-s0", run="simclr-revised-crop-resnet_small-s0")]
    ((text, certain),) = look(train, change).items()
    assert text.startswith("too little power in contrast gain: ") and "smallest_effect is 1;" in text and not certain
    assert look(train, {**change, "smallest_effect": None}) == {}
    assert look([job("data_card", "data_card")], change) == {}


def test_sets_that_decide_no_contrast_are_a_warning(look: Callable[..., Found]) -> None:
    contrast = {"minuend": "revised", "subtrahend": "visual", "primary": True}
    own = {"name": "d", "kind": "folders", "source": "m"}
    change: dict[str, Any] = {
        "runs": [{"method": "simclr", "pairs": pairs, "seeds": [0, 1, 2]} for pairs in ("revised", "visual")],
        "contrasts": [{"name": name, **contrast, "endpoint": name} for name in ("few_shot", "knn")],
        "probe_dataset": "d",
        "evaluation": {"steps": ["best"]},
    }
    text = (
        "no labelled set in datasets: every set has evaluate: false, or chose the checkpoint, so contrasts few_shot, "
        "knn get no verdict; add a set (docs/your-own-data.md#labelled-photos)"
    )
    for sets, found in (
        ([own], {text: False}),
        ([own | {"evaluate": False}], {text: False}),
        ([own, own | {"name": "e"}], {}),
    ):
        assert look([job("summary", "summary")], change | {"datasets": sets}) == found


def test_a_dry_run_ends_with_the_errors_that_stop_a_run(
    look: Callable[..., Found], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = planned("tests/config/tiny.yaml", change={"recaption": {"captioner": "x", "matcher": "y"}})
    found = findings(Start(broken, Path("results"), [source("captioner"), source("matcher")]))
    found.append(Finding(PipelineError("little space", "here", "1 MB", "free some"), certain=False))
    later: list[Callable[[], object]] = []
    tell(found, dry_run=True, at_end=lambda function, lines: later.append(lambda: function(lines)))
    assert capsys.readouterr().err == ""
    (end,) = later
    end()
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "warning: little space in here: 1 MB",
        "A run would end with 2 errors:",
        "error: missing source captioner in x: nothing there",
        "error: missing source matcher in y: nothing there",
    ]
    with pytest.raises(PipelineError, match="missing source captioner in x"):
        tell(found, dry_run=False)
    assert capsys.readouterr().err.startswith("warning: little space in here")


def test_torch_is_not_loaded(look: Callable[..., Found]) -> None:
    loaded = "torch" in sys.modules
    look([source("captioner"), *(job("pair_table", name, pairs=name) for name in ("revised", "visual"))])
    assert ("torch" in sys.modules) == loaded
