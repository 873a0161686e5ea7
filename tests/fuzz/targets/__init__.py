"""The kinds of input, and how many of every thousand inputs each kind gets."""

from importlib import import_module

from tests.fuzz.target import Target

SHARES = {
    "annotations": 120,
    "captions": 120,
    "config": 120,
    "datasets": 80,
    "http": 120,
    "images": 150,
    "imports": 80,
    "masks": 30,
    "notes": 50,
    "objects": 30,
    "own_images": 60,
    "records": 40,
    "removal": 60,
    "weights": 20,
}


def load(kind: str) -> Target:
    """The target of a kind: class ``Fuzzed`` of ``tests/fuzz/targets/<kind>.py``."""
    made: Target = import_module(f"tests.fuzz.targets.{kind}").Fuzzed()
    return made
