"""Names and versions of packages, and devices."""

from importlib import metadata
from pathlib import Path

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime import environment
from workflow_scripts.core.runtime.environment import package_field, resolve_device


def test_names_and_versions_are_those_that_importlib_reads() -> None:
    packages = {package.metadata["Name"]: package.version for package in metadata.distributions()}
    assert len(packages) > 50 and "torch" in packages
    assert {name: package_field(name, "Version") for name in packages} == packages
    assert all(package_field(name.lower(), "Name") == name for name in packages)


def test_packages_of_other_forms_have_names_and_versions_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "Single-1.0.egg-info").write_text("Name: Single\nVersion: 1.0\n")
    (tmp_path / "bare-2.0.dist-info").mkdir()
    (tmp_path / "bare-2.0.dist-info/METADATA").write_text("Version: 2.0\n\nName: of something else\n")
    assert [package_field("Single", key) for key in ("Name", "Version")] == ["Single", "1.0"]
    assert [package_field("bare", key) for key in ("Name", "Version")] == [None, "2.0"]


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("present", [False, True])
def test_auto_is_cuda_if_there_is_a_gpu_that_is_not_hidden(
    hidden: bool, present: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "hidden_gpus", lambda: hidden)
    monkeypatch.setattr(environment.Path, "exists", lambda path: present)
    assert resolve_device("auto") == ("cuda" if present and not hidden else "cpu")
    assert (resolve_device("cpu"), resolve_device("cuda")) == ("cpu", "cuda")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "no_gpu", lambda: "no GPU is visible")
    environment.check_device("cpu")
    with pytest.raises(PipelineError, match=r"no GPU in compute\.device: cuda, but no GPU is visible; set it to auto"):
        environment.check_device("cuda")
    monkeypatch.setattr(environment, "no_gpu", lambda: None)
    environment.check_device("cuda")
