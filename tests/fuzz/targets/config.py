"""Configs: YAML of a study, with values, keys and structure changed."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.mutate import TEXTS, json_text, mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

ROOT = Path(__file__).resolve().parents[3]
SNIPPETS = (
    "a: &a [x]\nb: *a\n",
    "? [a, b]\n: c\n",
    "<<: {study: x}\n",
    "study: !!python/object:os.system x\n",
    "- a\n- b\n",
    "%YAML 9.9\n---\n",
    "---\n---\n",
    "\tstudy: x\n",
    "study: |\n  x\n",
    "study: *nowhere\n",
    "{" * 300,
    "a: " * 200,
    "study: !!binary aGVsbG8=\n",
    "study: !!timestamp 2020-13-45\n",
    "study: 1:90\n",
    "study: .inf\n",
    "on: off\n",
)


class Fuzzed(Target):
    """The smallest study's config, changed as a tree, as text, and with aliases that multiply."""

    def make(self, rng: random.Random) -> Files:
        """One file."""
        tree = base()
        changed = mutate_tree(tree, rng) if rng.random() < 0.9 else tree
        kind = rng.random()
        if kind < 0.4:
            data = json_text(changed, rng)
        elif kind < 0.95:
            data = _yaml(changed, rng)
        else:
            data = _multiplied(rng)
        if rng.random() < 0.15:
            data = mutate_bytes(data, rng, most=2)
        return {"config.yaml": data + rng.choice(SNIPPETS).encode() if rng.random() < 0.15 else data}

    def run(self, folder: Path) -> str:
        """As the workflow and the tools read it."""
        Units(load_study(read_config([folder / "config.yaml"])))
        return "accepted"


@cache
def base() -> Any:
    """A config that is right."""
    tree = yaml.safe_load((ROOT / "tests/config/nano.yaml").read_bytes())
    tree["download"]["hosts"]["default"] = {"rate": 2, "connections": 2}
    return tree


def _yaml(tree: Any, rng: random.Random) -> bytes:
    options = {"default_flow_style": rng.choice((None, False)), "allow_unicode": rng.random() < 0.5}
    try:
        text = yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, **options)
    except (yaml.YAMLError, UnicodeError):
        return json_text(tree, rng)
    return str(text).encode(errors="replace")


def _multiplied(rng: random.Random) -> bytes:
    """Aliases of aliases: few bytes that stand for very many values."""
    first = rng.choice(TEXTS).encode("unicode_escape").decode()
    lines = [f'a0: &a0 ["{first}", x]'.replace("\\", "")]
    for level in range(1, rng.choice((3, 9, 40))):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * rng.choice((2, 9)))}]")
    return "\n".join([*lines, f"study: *a{len(lines) - 1}", ""]).encode()
