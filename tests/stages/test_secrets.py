"""Secrets in URLs reach no log, record, report or crate: planted, and looked for in all that is written."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.helpers import run
from tests.stages.acquired import downloaded, planned
from workflow_scripts.acquisition.http.fetch_file import fetch_file
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.crate.contents import public_settings
from workflow_scripts.stages import data_card
from workflow_scripts.stages.source import Source
from workflow_scripts.study.config.study import load_study

SECRET = "hunter2-PLANTED"
SIGNED = ["b.jpg?X-Amz-Signature=" + SECRET, "c.jpg?token=" + SECRET, "d.jpg?a=1#" + SECRET]
# Tables that say what to fetch and what was fetched; nobody could fetch again without the query.
DATA = ("annotations", "shard_plan", "download")


def written(folder: Path) -> dict[str, bytes]:
    """Content of every file; of tables, their values."""
    found = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        found[str(path.relative_to(folder))] = content
    return found


def test_signed_urls_of_rows_appear_only_in_the_data(
    results: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = planned(results, tmp_path, ["a.jpg", *SIGNED])
    routes = {"/a.jpg": jpeg(), f"/{SIGNED[0]}": jpeg(seed=1), f"/{SIGNED[1]}": lambda h, _: h.redirect(f"/?{SECRET}")}
    with serving(routes) as site:
        shard = downloaded(results, made, 0, site.address)
    assert shard.rows == {"in": 4, "out": 2, "dropped": {"http_4xx": 2}}
    inputs = {"annotations": made["annotations"].manifest_path, "download": shard.manifest_path}
    run(data_card.STAGE, results, "data_card/data_card", {}, inputs)
    logged = written(results)["study/download/00000.attempts.parquet"]
    assert b"http://photos.test/b.jpg?..." in logged and SECRET.encode() not in logged
    holding = [name for name, content in written(results).items() if SECRET.encode() in content]
    assert any(name.startswith("study/download/") for name in holding), "the search finds it where it is"
    for name in holding:
        stage = name.split("/")[1]
        kind = Path(name).suffix
        assert name.startswith(".fetched/") or (stage in DATA and kind in (".parquet", ".tar")), name
    out, err = capfd.readouterr()
    assert SECRET not in out + err + caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@h.test/a.zip",
        f"https://{SECRET}@h.test/a.zip",
        f"https://h.test/a.zip?X-Amz-Signature={SECRET}&X-Amz-Expires=60",
        "https://h.test/a.zip?key=1234",
        f"https://h.test/a.zip?{SECRET}",
        f"https://h.test/a.zip?id=${{ID}}{SECRET}",
        f"https://h.test/a.zip#{SECRET}",
    ],
)
def test_a_secret_in_the_config_is_refused_and_not_printed(url: str) -> None:
    config = {"study": "s", "shards": {"shards": 1}, "arms": [], "recaption": {}, "runs": []}
    for place in ({"at": url}, {"at": "https://h.test/a.zip", "mirrors": [url]}):
        with pytest.raises(PipelineError) as error:
            load_study({**config, "annotations": {"source": {**place, "sha256": "0" * 64}}})
        assert "has a secret" in str(error.value) and "1234" not in str(error.value) and SECRET not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://h.test/a.zip?dl=1&raw=true",
        "https://h.test/a.zip",
        "https://${USER}:${PASSWORD}@h.test/a.zip",
        "https://h.test/a.zip?X-Amz-Signature=${SIGNATURE}&dl=1",
        "https://h.test/a.zip?${QUERY}",
    ],
)
def test_variables_and_short_values_are_not_taken_for_secrets(url: str) -> None:
    assert Source(at=url, sha256="0" * 64).at == url


def test_a_secret_from_the_environment_is_written_nowhere(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"rows" * 1000
    monkeypatch.setenv("PAIRS_TOKEN", SECRET)
    with serving({f"/a.zip?token={SECRET}&dl=1": body}) as site:
        settings = {
            "at": f"http://127.0.0.1:9/{'${PAIRS_TOKEN}'}.zip",  # nobody answers there
            "mirrors": [f"http://{site.address}/a.zip?token=${{PAIRS_TOKEN}}&dl=1"],
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        words = ["--artifact", str(results / "study/source/zip"), "--unit", "source=zip", "--device", "cpu"]
        command = [sys.executable, "-m", "workflow_scripts.stages.source", "--settings", json.dumps(settings), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        wrong = {**settings, "sha256": "1" * 64}
        failed = subprocess.run([*command[:4], json.dumps(wrong), *words], capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "cannot fetch file" in failed.stderr.splitlines()[-1]
    assert "refused" in done.stderr, "the first url's fault is logged"
    files = written(results)
    assert files["study/source/zip.data"] == body
    assert not [name for name, content in files.items() if SECRET.encode() in content]
    assert SECRET not in done.stderr + failed.stderr + done.stdout + failed.stdout
    record = json.loads(files["study/source/zip.run.json"])
    assert "${PAIRS_TOKEN}" in record["settings"]["at"]


def test_a_fault_that_repeats_a_url_does_not_repeat_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PAIRS_TOKEN", f"{SECRET} with a space")
    with pytest.raises(PipelineError) as error:
        fetch_file(["http://127.0.0.1:9/a/${PAIRS_TOKEN}"], "0" * 64, tmp_path / "part", tmp_path / "target")
    assert "control characters" in str(error.value)
    assert SECRET not in str(error.value) + caplog.text


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAIRS_TOKEN", raising=False)
    with pytest.raises(PipelineError, match="PAIRS_TOKEN; set it in the environment"):
        fetch_file(["https://h.test/?${PAIRS_TOKEN}"], "0" * 64, tmp_path / "part", tmp_path / "target")


def test_a_crate_of_older_records_holds_no_secret() -> None:
    old = {"at": f"https://me:{SECRET}@h.test/a.zip?sig={SECRET}", "mirrors": [f"https://h.test/?{SECRET}"]}
    assert public_settings(old) == {"at": "https://h.test/a.zip?...", "mirrors": ["https://h.test/?..."]}
