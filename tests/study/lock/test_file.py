"""The lock file: equal locks give equal bytes, and damage is one clear error per fault."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.study.lock.hub import NEW, OLD
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.lock import Lock, read_lock

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
def test_what_is_written_is_read(hub: dict[str, str], urls: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "c.lock.yaml"
    lock = Lock(hub=hub, urls=urls)
    path.write_text(lock.text())
    assert read_lock(path) == lock


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert read_lock(None) is None
    assert read_lock(tmp_path / "c.lock.yaml") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.lock.yaml: invalid config file: empty"),
        (TEXT[:-20], "c.lock.yaml:7: invalid YAML: "),
        ("hub: {}\n", "c.lock.yaml:1: missing key: urls"),
        ("hub: {}\nurls: {}\nmodels: {}\n", "c.lock.yaml:3 (models): unknown key: 'models'"),
        ("hub:\n  a/b: abc\nurls: {}\n", "c.lock.yaml:2 (hub.a/b): invalid value: 'abc'"),
        (f"hub: {{}}\nurls:\n  u: {SHA[1:]}a0\n", "c.lock.yaml:3 (urls.u): invalid value: "),
        (f"hub:\n  a: {NEW}\n  a: {NEW}\nurls: {{}}\n", "c.lock.yaml:3 (hub.a): repeated key: "),
        (f"hub:\n  a/b@{'f' * 40}: {NEW}\nurls: {{}}\n", "c.lock.yaml:1 (hub): "),
    ],
)
def test_damage_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.lock.yaml").write_text(text)
    with pytest.raises(PipelineError) as error:
        read_lock(tmp_path / "c.lock.yaml")
    (one,) = error.value.errors
    assert str(one).startswith(f"damaged lock in {said}")
    assert str(one).endswith("; restore it, or write it again: faithful-pairs lock")


@pytest.mark.parametrize("commit", [OLD, NEW])
def test_a_commit_of_a_locked_model_is_itself(commit: str) -> None:
    lock = Lock(hub={"a/b@main": commit, "c/d": "f" * 40}, urls={})
    assert lock.commit("a/b@main") == lock.commit(f"a/b@{commit}") == commit
    assert lock.commit("a/b") is lock.commit("a/b@v1") is lock.commit(f"a/b@{'f' * 40}") is lock.commit("a") is None


@pytest.mark.parametrize(
    ("files", "lock"),
    [
        (["config.yaml"], "config.lock.yaml"),
        (["config.yaml", "profiles/demo/study.yaml"], "profiles/demo/study.lock.yaml"),
        (["config.yaml", "tests/config/tiny.yaml", "profiles/demo/dose.yaml"], "profiles/demo/dose.lock.yaml"),
    ],
)
def test_the_lock_is_beside_the_last_file(files: list[str], lock: str) -> None:
    assert read_config(files, {"study": "x"}).lock_file == Path(lock)
