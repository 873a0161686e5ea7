"""Trainings of the first release: settings say ``evaluated`` and not ``checkpoints``, and inputs lack columns."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.pretraining.shapes import SMALL
from tests.stages.test_pretrain import make_index, parquet
from workflow_scripts.audit import accept, adopt
from workflow_scripts.audit.records import _other_recipe
from workflow_scripts.commands.main import main as command
from workflow_scripts.core import code_equivalence as accepted
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import stored
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.seal import sealed
from workflow_scripts.core.key import SCHEMA, artifact_key
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.provenance import lineage
from workflow_scripts.provenance.shapes import record_fault
from workflow_scripts.stages.pretrain import STAGE
from workflow_scripts.study.freshness import other_settings
from workflow_scripts.study.history import rewritten

UNIT = {"run": "run"}
OLD_CODE = "0" * 64


def settings(checkpoints: object = (1, 2), **changed: Any) -> dict[str, Any]:
    """Today's settings of the training."""
    probe = {"every": 1, "images": 20, "neighbours": 3}
    values = {**SMALL, "steps": 3, "warmup_steps": 1, "probe": probe, "checkpoints": checkpoints, **changed}
    return Pretrain.model_validate(values).model_dump(mode="json")


class First:
    """A training in ``results`` as the first release left it: it kept step 2, the best and the last."""

    def __init__(self, results: Path) -> None:
        self.results, self.index = results, make_index(results)
        self.made = run(STAGE, results, "pretrain/run", settings([2]), {"images": self.index}, UNIT)
        self.record_path = self.made.manifest_path.with_name("run.run.json")
        record = self.record()
        old = {name: value for name, value in record["settings"].items() if name != "checkpoints"}
        old |= {"evaluated": ["last", 2, "best"], "probe": {**old["probe"]}}
        del old["probe"]["keep_best"]
        table = pq.read_table(self.index.with_name("images.parquet"))
        inputs = {"images": [self.older_index({name: table[name] for name in table.column_names if name != "sha256"})]}
        key = artifact_key("pretrain", UNIT, OLD_CODE, old, inputs, record["environment"])
        changed = {"key": key, "code": OLD_CODE, "settings": old, "inputs": inputs}
        entry = self.entry(record["key"])
        for path in (entry / "run.json", self.record_path):
            content = {**json.loads(path.read_bytes()), **changed}
            content.pop("self")
            path.write_bytes(pretty(sealed(content)))
        entry.rename(self.entry(key))
        self.before = self.record()

    def entry(self, key: str, stage: str = "pretrain") -> Path:
        return self.results / ".cache" / stage / key

    def record(self) -> dict[str, Any]:
        return dict(json.loads(self.record_path.read_bytes()))

    def older_index(self, columns: dict[str, Any]) -> str:
        """An index with these columns, as a cache entry; gives its manifest's hash."""
        folder = self.entry("older", "image_index")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "files").mkdir(parents=True)
        stored(folder, ".parquet").write_bytes(parquet(columns))
        shutil.copy(self.index.with_name("images.json"), stored(folder, ".json"))
        files = {}
        for suffix in (".json", ".parquet"):
            data = stored(folder, suffix).read_bytes()
            files[suffix] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        manifest = {"schema": SCHEMA, "stage": "image_index", "unit": {}, "files": files, "rows": {}}
        (folder / "manifest.json").write_bytes(pretty(manifest))
        return hashlib.sha256(pretty(manifest)).hexdigest()


@pytest.fixture
def first(results: Path, monkeypatch: pytest.MonkeyPatch) -> First:
    made = First(results)
    ask_for(monkeypatch, settings([2]))
    return made


def ask_for(monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]) -> None:
    """Let today's study have the training with these settings."""

    class Study:
        def holds(self, stage: str, name: str) -> bool:
            return True

        def settings(self, stage: str, unit: dict[str, str]) -> dict[str, Any]:
            assert (stage, unit) == ("pretrain", UNIT)
            return wanted

    monkeypatch.setattr(adopt, "units_of", lambda results, study: Study())


@pytest.mark.parametrize("checkpoints", [[2], []])
def test_a_training_that_holds_what_is_wanted_is_adopted(
    first: First, monkeypatch: pytest.MonkeyPatch, checkpoints: list[int]
) -> None:
    wanted = settings(checkpoints)
    ask_for(monkeypatch, wanted)
    manifest = first.made.manifest_path.read_bytes()
    lines = accept.vouch(first.results, "pretrain", "other words", "")
    assert lines[-1] == "1 artifacts of pretrain are adopted"
    record = first.record()
    assert first.made.manifest_path.read_bytes() == manifest
    assert record["settings"] == wanted and record["code"] == OLD_CODE == accepted.counted_code(
        "pretrain", first.results
    )
    before = {name: first.before[name] for name in ("key", "settings", "inputs")}
    assert record["adopted"] == {**before, "reason": "other words", "when": record["adopted"]["when"]}
    # Run, freshness and audit agree.
    assert record_fault(record) is None and _other_recipe(record) is None
    assert record["self"] == digest({name: value for name, value in first.record().items() if name != "self"})
    assert other_settings(record, "pretrain", wanted) == []
    monkeypatch.setattr(
        "workflow_scripts.pretraining.distributed.launch.launch", lambda *_: pytest.fail("it trains again")
    )
    run(STAGE, first.results, "pretrain/run", wanted, {"images": first.index}, UNIT)
    again = first.record()
    assert again["cached"] and again["key"] == record["key"] and again["original"]["adopted"]["key"] == before["key"]
    assert first.made.manifest_path.read_bytes() == manifest


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (settings([1, 2]), "it lacks step-000001; to adopt it, set pretraining.checkpoints to [2]"),
        (settings([2], lr=0.5), "other settings (lr 0.001 then, 0.5 today)"),
    ],
)
def test_a_training_that_lacks_something_stays_as_it_is(
    first: First, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], message: str
) -> None:
    ask_for(monkeypatch, wanted)
    lines = accept.vouch(first.results, "pretrain", "other words", "")
    assert lines[-2:] == ["0 artifacts of pretrain are adopted", f"study/pretrain/run is not adopted: {message}"]
    assert first.record()["key"] == first.before["key"]
    assert other_settings(first.record(), "pretrain", wanted)


def test_an_input_with_other_content_or_without_its_older_version_is_refused(first: First) -> None:
    shutil.rmtree(first.entry("older", "image_index"))
    assert accept.vouch(first.results, "pretrain", "why", "")[-1].endswith("its input images has changed")
    table = pq.read_table(first.index.with_name("images.parquet"))
    others = {name: table[name] for name in table.column_names if name != "sha256"} | {"key": table["key"][::-1]}
    assert first.older_index(others) != first.before["inputs"]["images"][0]
    older = next(one for one in lineage.load(first.results) if one.path.name == "older")
    assert not adopt._holds(Artifact(first.index), older)


def test_other_code_is_accepted_first(first: First) -> None:
    (line,) = adopt.adopt(first.results, "pretrain", "why")[1:]
    assert line.endswith("it was made by code that is neither current nor accepted")


def test_older_words_alone_are_no_other_settings() -> None:
    old = {name: value for name, value in settings([]).items() if name != "checkpoints"} | {
        "evaluated": ["last", "best"]
    }
    del old["probe"]["keep_best"]
    assert STAGE.in_key(rewritten("pretrain", old)) == STAGE.in_key(settings([]))
    assert other_settings({"settings": old}, "pretrain", settings([])) == []
    assert rewritten("pretrain", settings([2])) == settings([2])


def test_why_says_where_it_was_adopted_from(first: First, capsys: pytest.CaptureFixture[str]) -> None:
    accept.vouch(first.results, "pretrain", "other words", "")
    assert command(["why", str(first.made.manifest_path)]) == 0
    assert f": from key {first.before['key'][:10]}" in (said := capsys.readouterr().out) and "; other words" in said
