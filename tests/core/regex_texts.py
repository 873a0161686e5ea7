"""Texts on which a regular expression that is not linear takes long, and the CPU time that a search takes."""

import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FrameType
from typing import Any

_parser: Any = import_module("re._parser")
_compiler: Any = import_module("re._compiler")
POOL = "aZfu09_-+.,@/:#&?%'’ \n\t~\\{}()[]\"=é猫＠\xff"
SMALL, TIMES = 1_000, 4
ENOUGH = 0.002  # seconds, below which no growth is measured
NEVER = 0.5  # seconds, after which a search is given up
Text = str | bytes


def is_slow(search: Callable[[Text], object], shapes: Iterator[Callable[[int], Text]]) -> Text | None:
    """The start of a text on which ``search`` takes far more than :data:`TIMES` the time for so many times the text."""
    for shape in shapes:
        for _ in range(3):  # another process may have emptied the caches
            small, large = (seconds(search, shape(size)) for size in (SMALL, TIMES * SMALL))
            if large < max(ENOUGH, min(NEVER, 2 * TIMES * small)):
                break
        else:
            return shape(30)
    return None


def seconds(search: Callable[[Text], object], text: Text) -> float:
    """CPU time of a search, at most :data:`NEVER`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    start = time.thread_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, NEVER)
        search(text)
    except TimeoutError:
        return NEVER
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return time.thread_time() - start


def shapes_of(pattern: re.Pattern[Any], seed: int, examples: int = 120) -> Iterator[Callable[[int], Text]]:
    """Shapes of texts that are hard for a pattern: size -> text of about as many characters."""
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    tree = _parser.parse(pattern.pattern, flags)
    alphabet, rng = _letters(pattern.pattern, tree), random.Random(seed)
    empty: Any = alphabet[0][:0]
    for first in alphabet:
        for second in alphabet:
            yield lambda size, pump=first + second: pump * (size // 2)  # type: ignore[misc]
    for _ in range(examples):
        near: Any = empty.join(_example(tree, alphabet, rng))
        start, end = sorted((rng.randint(0, len(near)), rng.randint(0, len(near))))
        pump: Any = near[start:end][:12] or rng.choice(alphabet)
        tail = empty.join(rng.choices(alphabet, k=rng.randint(0, 3)))
        yield lambda size, pump=pump, a=near[:start], b=tail: a + pump * (size // len(pump)) + b  # type: ignore[misc]


def _letters(source: Text, tree: Any) -> list[Any]:
    """A character of each kind that the pattern tells apart."""
    literal = source if isinstance(source, str) else source.decode("latin-1")
    kinds: dict[tuple[bool, ...], Text] = {}
    tests = list(_tests(tree))
    for char in POOL + "".join(char for char in literal if char.isalnum()):
        one = char if isinstance(source, str) else char.encode("latin-1", "ignore")
        if one:
            borders = (one.isalnum() or one in ("_", b"_"), one.isspace())  # what \\b and $ look at
            kinds.setdefault((*borders, *(bool(test.match(one)) for test in tests)), one)
    return list(kinds.values())


def _tests(items: Any) -> Iterator[re.Pattern[Any]]:
    """Each single character of a pattern, as a pattern of its own."""
    for op, value in items:
        if str(op).lower() in ("literal", "not_literal", "any", "in"):
            yield _alone(items, op, value)
        for part in _parts(value):
            yield from _tests(part)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)


def _alone(items: Any, op: Any, value: Any) -> Any:
    return _compiler.compile(_parser.SubPattern(items.state, [(op, value)]), items.state.flags)


def _example(items: Any, alphabet: list[Any], rng: random.Random) -> Iterator[Any]:
    """Pieces of a text that nearly matches."""
    for op, value in items:
        name = str(op).lower()
        if name in ("literal", "not_literal", "any", "in"):
            alone = _alone(items, op, value)
            yield rng.choice([char for char in alphabet if alone.match(char)] or alphabet)
        elif name in ("subpattern", "atomic_group"):
            yield from _example(value[-1] if name == "subpattern" else value, alphabet, rng)
        elif name == "branch":
            yield from _example(rng.choice(value[1]), alphabet, rng)
        elif name.endswith("repeat"):
            for _ in range(rng.randint(value[0], min(int(value[1]), value[0] + 3))):
                yield from _example(value[2], alphabet, rng)
