"""Random values and random damage: to bytes, to JSON-like trees, and to text."""

import json
import random
from collections.abc import Sequence
from typing import Any

NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64)
FLOATS = (0.5, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), 1.5e9)
TEXTS = (
    "",
    " ",
    "a",
    "null",
    "NaN",
    "yes",
    "no",
    "on",
    "2020-01-01",
    "1e5",
    "0x1F",
    "..",
    "../../etc/passwd",
    "/",
    ".",
    "-rf",
    "--help",
    "a\nb",
    "a\x00b",
    "\ud800",
    "\ufeff",
    "\u202e",
    "é" * 40,
    "x" * 3000,
    "{}",
    "$HOME",
    "%s%n",
    "http://",
    "https://[::1",
    "http://a.test:99999/",
    "hub:",
    "package:",
    "torchvision:",
    "__class__",
    "manifest",
)
_DEEP = "\x01deep\x01"  # stands in JSON text for brackets in brackets, which no tree of Python can hold


def value(rng: random.Random, depth: int = 3) -> Any:
    """A JSON value, from harmless to absurd."""
    kind = rng.randrange(12 if depth else 8)
    if kind < 2:
        return rng.choice(NUMBERS) * rng.choice((1, 1, -1, 10**40))
    if kind == 2:
        return rng.choice(FLOATS)
    if kind == 3:
        return rng.choice((None, True, False))
    if kind == 4:
        return _DEEP if rng.random() < 0.1 else rng.random()
    if kind < 8:
        return rng.choice(TEXTS)
    if kind < 10:
        return [value(rng, depth - 1) for _ in range(rng.choice((0, 1, 2, 5)))]
    return {rng.choice(TEXTS): value(rng, depth - 1) for _ in range(rng.choice((0, 1, 3)))}


def mutate_tree(tree: Any, rng: random.Random, most: int = 3) -> Any:
    """A copy of ``tree`` with one to ``most`` places changed, removed, repeated, renamed or moved."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.randint(1, most)):
        parent, key = _place(tree, rng)
        if parent is None:
            return value(rng)
        way = rng.randrange(8)
        if way < 4:
            parent[key] = value(rng)
        elif way == 4:
            del parent[key]
        elif way == 5 and isinstance(parent, list):
            parent.insert(key, parent[key])
        elif way == 5:
            parent[rng.choice(TEXTS)] = parent.pop(key)
        elif way == 6:
            other, place = _place(tree, rng)
            parent[key] = json.loads(json.dumps(other[place])) if other is not None else []
        else:
            parent[key] = _twisted(parent[key], rng)
    return tree


def _twisted(old: Any, rng: random.Random) -> Any:
    """Nearly the same value: of another type, a little larger, wrapped."""
    ways = [lambda: [old], lambda: {"a": old}, lambda: str(old), lambda: None]
    if isinstance(old, str):
        ways += [
            lambda: old[:-1],
            lambda: old + rng.choice(TEXTS),
            lambda: old.upper(),
            lambda: old.encode(errors="surrogatepass").hex(),
        ]
    if isinstance(old, int | float) and not isinstance(old, bool):
        ways += [lambda: -old, lambda: old + 1, lambda: float(old), lambda: old * 10**9]
    return rng.choice(ways)()


def _place(tree: Any, rng: random.Random) -> tuple[Any, Any]:
    """A container in the tree, and a key of it; None for a tree without any."""
    parent, key = None, None
    node = tree
    while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.75):
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        parent, node = node, node[key]
    return parent, key


def json_text(tree: Any, rng: random.Random) -> bytes:
    """JSON, or nearly: NaN, lone surrogates and deep brackets may be in it."""
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
    while f'"{json.dumps(_DEEP)[1:-1]}"' in text or f'"{_DEEP}"' in text:
        deep = rng.choice((50, 3000, 200_000))
        brackets = rng.choice(("[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep, "[" * deep))
        text = text.replace(f'"{json.dumps(_DEEP)[1:-1]}"', brackets, 1).replace(f'"{_DEEP}"', brackets, 1)
    return text.encode(errors=rng.choice(("replace", "surrogatepass")))


def mutate_bytes(data: bytes, rng: random.Random, others: Sequence[bytes] = (), most: int = 4) -> bytes:
    """``data`` damaged in one to ``most`` places: bits, numbers, spans, the end; or joined to one of ``others``."""
    made = bytearray(data)
    for _ in range(rng.randint(1, most)):
        size = len(made)
        at = rng.randrange(size + 1)
        span = min(size - at, rng.choice((1, 2, 4, 8, 64, 1024)))
        way = rng.randrange(11)
        if way < 2 and at < size:
            made[at] ^= 1 << rng.randrange(8)
        elif way == 2:
            made[at : at + span] = rng.randbytes(span)
        elif way == 3:
            del made[at : at + span]
        elif way == 4:
            made[at:at] = made[at : at + span] * rng.choice((1, 2, 50))
        elif way == 5:
            del made[at:]
        elif way < 8:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) % 256**width
            made[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif way == 8 and others:
            other = rng.choice(others)
            made[at:] = other[rng.randrange(len(other) + 1) :]
        elif way == 9:
            made[at:at] = rng.choice(TEXTS).encode(errors="surrogatepass")
        else:
            made += rng.randbytes(rng.choice((1, 16, 512)))
    return bytes(made)
