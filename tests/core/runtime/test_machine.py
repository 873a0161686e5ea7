"""What a run record says of the machine and the checkout; what is not known is null."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_scripts.core.runtime.environment import package_records
from workflow_scripts.core.runtime.gpu import ask
from workflow_scripts.core.runtime.machine import cards, cpu_model, determinism, git_state, machine


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[..., str]:
    """A git repository with one commit of one file; gives a function that runs git in it."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", *who, "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "code.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", "code.py")
    git("commit", "-q", "-m", "first")
    return git


def test_a_clean_checkout_has_no_diff(checkout: Callable[..., str], tmp_path: Path) -> None:
    assert git_state(tmp_path) == {"commit": checkout("rev-parse", "HEAD"), "dirty": False, "diff": None}
    (tmp_path / "untracked.py").write_text("y = 1\n")
    assert git_state(tmp_path)["dirty"] is False


def test_the_diff_hash_does_not_depend_on_git_settings(checkout: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 2\n")
    first = git_state(tmp_path)
    assert first["dirty"] is True
    text = checkout("diff", "--binary", "--full-index", "HEAD") + "\n"
    assert first["diff"] == hashlib.sha256(text.encode()).hexdigest()
    for name, value in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.mnemonicPrefix", "true")):
        checkout("config", name, value)
    assert git_state(tmp_path) == first
    checkout("add", "code.py")
    assert git_state(tmp_path) == first
    (tmp_path / "code.py").write_text("x = 3\n")
    assert git_state(tmp_path)["diff"] != first["diff"]


def test_without_git_the_commit_and_diff_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"commit": None, "dirty": None, "diff": None}
    assert git_state(tmp_path / "no-repository") == nothing
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(__file__).parents[3]) == nothing
    assert ask("git", "--version") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: other\n", "Some CPU @ 2 GHz"),
        ("processor\t: 0\nmodel name\t: \n", None),
        ("CPU implementer\t: 0x41\n", None),
    ],
)
def test_the_cpu_model_is_read_from_cpuinfo(tmp_path: Path, text: str, name: str | None) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_model(tmp_path / "cpuinfo") == name
    assert cpu_model(tmp_path / "gone") is None


def test_gpu_models_are_queried_only_on_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = {"gpu_model": None, "driver": None}
    tool = tmp_path / "nvidia-smi"
    line = 'echo "NVIDIA A, 595.10, 81559, 9.0"\n'
    tool.write_text(f'#!/bin/sh\necho "$@" > "$0.asked"\n{line}{line}')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    assert cards("cpu") == unknown
    assert not tool.with_name("nvidia-smi.asked").exists()
    device = "CUDA".lower()  # a text that is not interned, like one of a command line
    assert cards(device) == {**unknown, "gpu_model": ["NVIDIA A", "NVIDIA A"], "driver": "595.10"}
    assert tool.with_name("nvidia-smi.asked").read_text().startswith("-i 0,2 ")
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert cards("cuda") == unknown


def test_determinism_flags_are_recorded_and_torch_asked_only_if_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    found = determinism()
    assert (found["OMP_NUM_THREADS"], found["CUBLAS_WORKSPACE_CONFIG"]) == ("3", None)
    assert not any(name.startswith("torch") for name in found)


def test_the_machine_record_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    (tmp_path / "bad-1.0.dist-info").mkdir()
    (tmp_path / "bad-1.0.dist-info/METADATA").write_bytes(b"Name: \xff\n")  # can't be read, and is left out
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "bad", sys)
    found = machine(("pydantic", "no-such-package"), "cpu")
    assert found["packages"]["no-such-package"] is None
    named = {name.lower().replace("-", "_") for name in found["packages"]}
    assert named - {name.lower() for name in sys.modules} == {"no_such_package"} and "bad" not in named
    assert {"pydantic", "pytest"} <= found["package_records"].keys() <= found["packages"].keys()
    assert found["slurm_job"] == "4711"
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    monkeypatch.delenv("SLURM_JOB_ID")
    other = machine((), "cpu")
    assert other["slurm_job"] is None and "no-such-package" not in other["packages"]


INSTALLED = {
    "pack/__init__.py": "sha256=aaa",
    "pack/__pycache__/__init__.cpython-311.pyc": "",
    "../../../bin/pack": "sha256=path-of-this-environment",
    "pack-1.0.dist-info/INSTALLER": "sha256=pip",
    "pack-1.0.dist-info/METADATA": "sha256=bbb",
    "pack-1.0.dist-info/RECORD": "",
}
SAME = {"pack-1.0.dist-info/INSTALLER": "sha256=uv", "../../../bin/pack": "sha256=other", "pack/x.pyc": ""}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        (SAME, True),
        ({"pack/__init__.py": "sha256=ccc"}, False),
        ({"pack/more.py": "sha256=ddd"}, False),
        ({"pack/__init__.py": "sha256=bbb", "pack-1.0.dist-info/METADATA": "sha256=aaa"}, False),
    ],
)
def test_a_package_is_known_by_what_its_wheel_holds(
    changes: dict[str, str], same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, files in (("a", INSTALLED), ("b", {**INSTALLED, **changes})):
        folder = tmp_path / name / "pack-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n")
        (folder / "RECORD").write_text("".join(f"{path},{value},7\n" for path, value in files.items()))
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder.parent)
            found.append(package_records(["pack", "no-such-package"]))
    assert [list(one) for one in found] == [["pack"], ["pack"]]
    assert (found[0] == found[1]) is same
    assert len(found[0]["pack"]) == 16
