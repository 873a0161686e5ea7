"""The lock of a config: its file, what it pins, how it is made, and the keys of pinned sources."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import run
from tests.study.config.hub import NEW, OLD, TINY, Hub
from tests.study.freshness.jobs import ALL, job
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.stages.source import STAGE
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.lock import Lock, read_lock, resolve, sources_in
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.study import checked_study, load_study
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.study.units import Units

SHA = "5a" * 32
TEXT = f"""\
# Written by `faithful-pairs lock`: the commit of each hub model, and the sha256 of each URL, that the config names.
# Runs read these and nothing else. Commit this file with the config. To update it, run the command again.
"hub":
  "a/b": "{NEW}"
  "a/b@main": "{OLD}"
"urls":
  "https://h.test/a.zip?dl=1": "{SHA}"
"""


def test_the_file_is_sorted_and_quoted() -> None:
    lock = Lock(hub={"a/b@main": OLD, "a/b": NEW}, urls={"https://h.test/a.zip?dl=1": SHA})
    assert lock.text() == TEXT
    assert Lock(hub=dict(sorted(lock.hub.items())), urls=lock.urls).text() == TEXT


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(
    hub=st.dictionaries(st.from_regex(r"[\w./-]{1,150}(@[\w./-]{1,20})?", fullmatch=True), st.sampled_from([OLD, NEW])),
    urls=st.dictionaries(
        st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=200),
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    ),
)
def test_a_lock_file_round_trips(hub: dict[str, str], urls: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "c.lock.yaml"
    lock = Lock(hub=hub, urls=urls)
    path.write_text(lock.text())
    assert read_lock(path) == lock


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.lock.yaml: invalid config file: empty"),
        (TEXT[:-20], "c.lock.yaml:7: invalid YAML: "),
        ("hub: {}\n", "c.lock.yaml:1: missing key: urls"),
        ("hub: {}\nurls: {}\nmodels: {}\n", "c.lock.yaml:3 (models): unknown key: 'models'"),
        ("hub:\n  a/b: abc\nurls: {}\n", "c.lock.yaml:2 (hub.a/b): invalid value: 'abc'"),
        (f"hub: {{}}\nurls:\n  u: {SHA[1:]}a0\n", "c.lock.yaml:3 (urls.u): invalid value: "),
        (f"hub:\n  a: {NEW}\n  a: {NEW}\nurls: {{}}\n", "c.lock.yaml:3: repeated key: 'a', "),
    ],
)
def test_damage_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.lock.yaml").write_text(text)
    with pytest.raises(PipelineError) as error:
        read_lock(tmp_path / "c.lock.yaml")
    (one,) = error.value.errors
    assert str(one).startswith(f"damaged lock in {said}")
    assert str(one).endswith("; restore it, or remove it and write it again: faithful-pairs lock")


def study(overlay: Path, lock: Lock | None = None) -> Study:
    """The study of an overlay of the small one, with a lock beside it."""
    if lock is not None:
        overlay.with_suffix(".lock.yaml").write_text(lock.text())
    return load_study(read_config(["config.yaml", TINY, overlay]))


def faults(overlay: Path, *lock: Lock, load: Callable[..., Any] = study) -> list[str]:
    """The errors, each without the folder of the overlay."""
    with pytest.raises(PipelineError) as error:
        load(overlay, *lock)
    return [str(one).replace(f"{overlay.parent}/", "") for one in error.value.errors]


def lock_of(hub: Hub, commit: str = OLD, sha256: str = SHA) -> Lock:
    """A lock of the captioner's main branch and of the arm's table."""
    return Lock(hub={"someone/model@main": commit}, urls={f"{hub.address}/captions.csv": sha256})


def test_jobs_read_what_is_locked(overlay: Path, hub: Hub) -> None:
    units = Units(study(overlay, lock_of(hub)))
    assert units.settings("source", {"source": "captioner"})["at"] == f"hub:someone/model@{OLD}"
    assert units.settings("source", {"source": "captions-revised"})["sha256"] == SHA
    assert units.sources("recaption", {"shard": "00000"})["captioner"] == f"hub:someone/model@{OLD}"
    unlocked = Units(load_study(read_config(["config.yaml", TINY])))
    for name in unlocked.sources_by_name.keys() - {"captioner"}:
        assert units.sources_by_name[name] == unlocked.sources_by_name[name]
    assert hub.asked == [], "only the command asks"


def test_a_locked_branch_and_its_commit_are_the_same_source(overlay: Path, hub: Hub) -> None:
    branch = study(overlay, lock_of(hub, NEW))
    overlay.write_text(overlay.read_text().replace("@main", f"@{NEW}"))
    assert study(overlay) == branch


def test_another_revision_or_hash_is_an_error_at_its_line(overlay: Path, hub: Hub) -> None:
    lock, text = lock_of(hub), overlay.read_text()
    for other in ("@v1", ""):
        overlay.write_text(text.replace("@main", other))
        assert faults(overlay, lock) == [
            f"hub model missing from mine.lock.yaml in mine.yaml:3 (recaption.captioner): hub:someone/model{other}; "
            "undo the change, or update the lock: run faithful-pairs lock with the same config files"
        ]
    table = f"{{at: {hub.address}/captions.csv, sha256: {SHA[1:]}6}}"
    overlay.write_text(text.replace(f"{hub.address}/captions.csv", table))
    (fault,) = faults(overlay, lock)
    assert fault.startswith(
        f"sha256 differs from mine.lock.yaml in mine.yaml:7 (arms.0.table): {SHA[1:]}6, but {hub.address}/captions.csv "
        f"is {SHA}; undo the change"
    )
    assert study(overlay, lock_of(hub, sha256=f"{SHA[1:]}6"))


def test_a_source_that_is_not_locked_is_an_error(overlay: Path, hub: Hub) -> None:
    advice = "undo the change, or update the lock: run faithful-pairs lock with the same config files"
    assert faults(overlay, Lock(hub={"someone/model-2@main": OLD}, urls={})) == [
        f"hub model missing from mine.lock.yaml in mine.yaml:3 (recaption.captioner): hub:someone/model@main; {advice}",
        f"URL missing from mine.lock.yaml in mine.yaml:7 (arms.0.table): {hub.address}/captions.csv; {advice}",
    ]


def test_without_a_lock_a_url_needs_its_sha256_in_the_config(overlay: Path, hub: Hub) -> None:
    assert faults(overlay) == [
        f"URL without a sha256 in mine.yaml:7 (arms.0.table): {hub.address}/captions.csv; give its sha256, or record "
        "it: faithful-pairs lock"
    ]


def test_only_the_lock_of_the_last_config_file_is_used(overlay: Path, hub: Hub, tmp_path: Path) -> None:
    study(overlay, lock_of(hub))
    last = tmp_path / "last.yaml"
    last.write_text("study: last\n")
    with pytest.raises(PipelineError, match="URL without a sha256"):
        load_study(read_config(["config.yaml", TINY, overlay, last]))
    last.with_suffix(".lock.yaml").write_text(lock_of(hub, NEW).text())
    found = load_study(read_config(["config.yaml", TINY, overlay, last]))
    assert found.recaption.captioner.at == f"hub:someone/model@{NEW}"


def test_every_source_of_a_config_is_listed() -> None:
    """Those that jobs hash, as their names and places say, and no others."""
    found = load_study(read_config(["config.yaml"]))
    at = {".".join(map(str, path)): source.at for path, source in sources_in(found)}
    assert at["recaption.captioner"] == "hub:Salesforce/blip2-opt-2.7b@main"
    units = Units(found)
    assert set(at.values()) == {source.at for source in units.sources_by_name.values()}


CSV = "/captions.csv"


def resolved(overlay: Path) -> Lock:
    """The lock of an overlay of the small study."""
    config = read_config(["config.yaml", TINY, overlay])
    return resolve(checked_study(config), config.root)


def test_models_and_urls_are_resolved(overlay: Path, hub: Hub) -> None:
    sha256 = hashlib.sha256(hub.files[CSV]).hexdigest()
    assert resolved(overlay) == Lock(hub={"someone/model@main": OLD}, urls={f"{hub.address}{CSV}": sha256})
    assert hub.asked == ["/api/models/someone/model/revision/main", CSV], "one request for each"
    hub.branches["main"] = NEW
    hub.files[CSV] = b"other"
    sha256 = hashlib.sha256(b"other").hexdigest()
    assert resolved(overlay) == Lock(hub={"someone/model@main": NEW}, urls={f"{hub.address}{CSV}": sha256})


@pytest.mark.parametrize(
    ("revision", "commit", "asked"),
    [
        ("@v1", OLD, ["/api/models/someone/model/revision/v1"]),
        ("", OLD, ["/api/models/someone/model"]),
        (f"@{NEW}", NEW, []),
    ],
)
def test_tags_branches_and_commits_are_resolved(
    overlay: Path, hub: Hub, revision: str, commit: str, asked: list[str]
) -> None:
    text = overlay.read_text().replace("@main", revision)
    overlay.write_text(text.replace(f"{hub.address}{CSV}", f"{{at: {hub.address}{CSV}, sha256: {'5a' * 32}}}"))
    found = Lock(hub={f"someone/model{revision}": commit}, urls={f"{hub.address}{CSV}": "5a" * 32})
    assert resolved(overlay) == found
    assert hub.asked == asked, "a URL whose sha256 is known is not fetched"


def test_all_that_can_not_be_reached_is_named(overlay: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    del hub.files[CSV]
    hub.branches["main"] = "gone"
    model, url = faults(overlay, load=resolved)
    assert model == (
        "hub model unavailable in mine.yaml:3 (recaption.captioner): hub:someone/model@main: RevisionNotFoundError; "
        "check its name, its revision and the network (a private model needs HF_TOKEN)"
    )
    assert url == (
        f"cannot fetch file in mine.yaml:7 (arms.0.table): {hub.address}{CSV}: HTTP Error 404: Not Found; check the "
        "URL and the network"
    )
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "hub:someone/model@main: ConnectError; check" in faults(overlay, load=resolved)[0]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "hub:someone/model@main: OfflineModeIsEnabled; check" in faults(overlay, load=resolved)[0]


def test_an_answer_without_a_commit_is_an_error(overlay: Path, hub: Hub) -> None:
    hub.branches["main"] = "latest"
    hub.commits["latest"] = {}
    assert faults(overlay, load=resolved) == [
        "no commit of a hub model in mine.yaml:3 (recaption.captioner): hub:someone/model@main: latest; check "
        "HF_ENDPOINT"
    ]


def test_a_mirror_is_hashed_if_the_url_does_not_answer(overlay: Path, hub: Hub) -> None:
    gone = "http://127.0.0.1:9/gone.csv"
    table = f"{{at: {gone}, mirrors: ['{hub.address}{CSV}']}}"
    overlay.write_text(overlay.read_text().replace(f"{hub.address}{CSV}", table))
    assert resolved(overlay).urls == {gone: hashlib.sha256(hub.files[CSV]).hexdigest()}


def test_the_hash_that_the_config_states_holds_for_all_places_of_a_url(overlay: Path, hub: Hub) -> None:
    url = f"{hub.address}{CSV}"
    more = f"annotations: {{exclude_from: {{at: {url}, sha256: {'6b' * 32}}}}}\n"
    text = overlay.read_text()
    overlay.write_text(more + text)
    assert resolved(overlay).urls == {url: "6b" * 32}


UNIT = {"source": "captioner"}


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of the hub's client."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_XET_CACHE", str(tmp_path / "xet"), raising=False)
    yield tmp_path / "hub"


def hashed(results: Path, units: Units) -> tuple[str, Artifact]:
    """Key and artifact of the captioner."""
    made = run(STAGE, results, "source/captioner", units.settings("source", UNIT), unit=UNIT)
    record = read_object(results / "study/source/captioner.run.json")
    return record["key"], made


def stale(results: Path, units: Units) -> str | None:
    """Why the artifact would be computed again."""
    freshness = Freshness(results, units)
    manifest = results / "study/source/captioner.manifest.json"
    freshness.decide([job(manifest, UNIT)], ALL)
    return freshness.reasons.get(str(manifest))


@pytest.mark.usefixtures("own_cache")
def test_a_lock_changes_no_key_and_outlives_a_moved_branch(results: Path, overlay: Path, hub: Hub) -> None:
    """With and without a lock, by branch and by commit; then the branch moves, and only an unlocked study follows."""
    text = overlay.read_text()
    with_hash = text.replace(f"{hub.address}/captions.csv", f"{{at: {hub.address}/captions.csv, sha256: {SHA}}}")
    overlay.write_text(with_hash)
    loose = Units(study(overlay))
    key, made = hashed(results, loose)
    locked = Units(study(overlay, lock_of(hub)))
    overlay.write_text(with_hash.replace("@main", f"@{OLD}"))
    by_commit = Units(study(overlay))
    overlay.with_suffix(".lock.yaml").unlink()
    for units in (locked, by_commit, Units(study(overlay))):
        assert stale(results, units) is None
        assert hashed(results, units)[0] == key
        assert hashed(results, units)[1].hash == made.hash
    hub.branches["main"] = NEW
    assert hashed(results, locked)[0] == key
    assert hashed(results, loose)[0] != key
    assert stale(results, locked) == "the source changed"
