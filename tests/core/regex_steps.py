"""Counts the steps that a backtracking engine takes for a pattern, and writes texts that are hard for it.

Time is no measure for a test, so this is a small engine of its own. It works as Python's does: greedy, with a stack of
choices, and a search tries each place of the text in turn. Python's engine has shortcuts that this one lacks, so it
never takes steps of a higher order.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_compiler: Any = import_module("re._compiler")
SCANS = ("search", "sub", "subn", "findall", "finditer", "split")
POOL = "aZfu09_-+.,@/:#&?%'’ \n\t~\\{}()[]\"=é猫＠\xff"
MOST_STEPS = 50_000  # for one text; what takes more is not linear, and may never end
Text = str | bytes
Span = tuple[int, int]


@dataclass
class Counted:
    """A compiled pattern as a program: ``step`` is (kind, argument, next)."""

    pattern: re.Pattern[Any]
    steps: int = 0
    limit: int = MOST_STEPS

    def __post_init__(self) -> None:
        flags = self.pattern.flags
        self.tree = _parser.parse(self.pattern.pattern, flags & ~re.UNICODE if self.is_bytes else flags)
        self.tests: list[Any] = []
        self.program: list[tuple[Any, ...]] = []
        self._write(self.tree)
        self.program.append(("end",))

    @property
    def is_bytes(self) -> bool:
        """Whether it is a pattern of bytes."""
        return isinstance(self.pattern.pattern, bytes)

    def spans(self, method: str, text: Text) -> list[Span]:
        """Where a method of the pattern finds it: ``match``, ``fullmatch`` or one of :data:`SCANS`."""
        self.limit = self.steps + MOST_STEPS
        if method in ("match", "fullmatch"):
            found = self.at(text, 0, whole=method == "fullmatch")
            return [] if found is None else [(0, found)]
        spans, place = list[Span](), 0
        while place <= len(text) and (method != "search" or not spans):
            end = self.at(text, place)
            if end is not None:
                spans.append((place, end))
            place = place + 1 if end is None or end == place else end
        return spans

    def at(self, text: Text, place: int, whole: bool = False, start: int = 0) -> int | None:
        """End of the match that begins at ``place``, or None; ``start`` is the program's first step."""
        choices = [(start, place)]
        while choices and self.steps < self.limit:
            line, here = choices.pop()
            while True:
                self.steps += 1
                kind, *rest = self.program[line]
                if kind == "end":
                    if not whole or here == len(text):
                        return here
                    break
                if kind == "one":
                    if here == len(text) or not rest[0].match(text, here, here + 1):
                        break
                    line, here = line + 1, here + 1
                elif kind == "either":
                    choices.append((rest[1], here))
                    line = rest[0]
                elif kind == "jump":
                    line = rest[0]
                elif kind == "place":
                    if not rest[0].match(text, here):
                        break
                    line += 1
                else:
                    within, after, back, wanted = rest
                    end = None if here < back else self.at(text, here - back, start=within)
                    if (end is not None) != wanted:
                        break
                    line, here = after, here if kind == "look" else int(end or 0)
        return None

    def _write(self, items: Any) -> None:
        for op, value in items:
            name = str(op).lower()
            if name in ("literal", "not_literal", "any", "in"):
                self.tests.append(self._alone(op, value))
                self.program.append(("one", self.tests[-1]))
            elif name == "at":
                self.program.append(("place", self._alone(op, value)))
            elif name == "subpattern":
                self._write(value[-1])
            elif name == "branch":
                self._branch(value[1])
            elif name in ("max_repeat", "min_repeat"):
                self._repeat(*value, lazy=name == "min_repeat")
            elif name == "possessive_repeat":
                self._inside("atomic", [(_parser.MAX_REPEAT, value)], 0, True)
            elif name == "atomic_group":
                self._inside("atomic", value, 0, True)
            elif name in ("assert", "assert_not"):
                self._inside("look", value[1], value[1].getwidth()[0] if value[0] < 0 else 0, name == "assert")
            else:
                raise NotImplementedError(name)

    def _alone(self, op: Any, value: Any) -> Any:
        flags = self.tree.state.flags
        state = _parser.State()
        state.flags, state.str = flags, self.pattern.pattern
        return _compiler.compile(_parser.SubPattern(state, [(op, value)]), flags)

    def _inside(self, kind: str, items: Any, back: int, wanted: bool) -> None:
        line = len(self.program)
        self.program.append(())
        self._write(items)
        self.program.append(("end",))
        self.program[line] = (kind, line + 1, len(self.program), back, wanted)

    def _branch(self, branches: Any) -> None:
        ends = []
        for number, branch in enumerate(branches):
            line = len(self.program)
            if number + 1 < len(branches):
                self.program.append(())
            self._write(branch)
            if number + 1 < len(branches):
                ends.append(len(self.program))
                self.program.append(())
                self.program[line] = ("either", line + 1, len(self.program))
        for line in ends:
            self.program[line] = ("jump", len(self.program))

    def _repeat(self, least: int, most: Any, items: Any, lazy: bool = False) -> None:
        for _ in range(least):
            self._write(items)
        if most == _parser.MAXREPEAT:
            assert _parser.SubPattern(self.tree.state, list(items)).getwidth()[0], "the repeated part may be empty"
            self._optional(items, lazy, loop=True)
            return
        skips = [self._optional(items, lazy, loop=False) for _ in range(int(most) - least)]
        for line in skips:  # without one, all further ones are skipped too
            kind, first, second = self.program[line]
            self.program[line] = (kind, len(self.program), second) if lazy else (kind, first, len(self.program))

    def _optional(self, items: Any, lazy: bool, loop: bool) -> int:
        line = len(self.program)
        self.program.append(())
        self._write(items)
        if loop:
            self.program.append(("jump", line))
        inner, after = line + 1, len(self.program)
        self.program[line] = ("either", after, inner) if lazy else ("either", inner, after)
        return line


def letters(counted: Counted) -> list[Text]:
    """A character of each kind that the pattern tells apart."""
    literal = str(counted.pattern.pattern, "latin-1") if counted.is_bytes else counted.pattern.pattern
    kinds: dict[tuple[bool, ...], Text] = {}
    for char in POOL + "".join(char for char in literal if char.isalnum()):
        one = char.encode("latin-1", "ignore") if counted.is_bytes else char
        if one:
            borders = (one.isalnum() or one in ("_", b"_"), one.isspace())  # what \\b and $ look at
            kinds.setdefault((*borders, *(bool(test.match(one)) for test in counted.tests)), one)
    return list(kinds.values())


def hard_texts(counted: Counted, size: int, seed: int, examples: int = 120) -> Iterator[Text]:
    """Texts of about ``size`` characters; the same seed gives the same shapes in any size."""
    rng, alphabet = random.Random(seed), letters(counted)
    empty = alphabet[0][:0]
    for first in alphabet:
        for second in alphabet:
            yield (first + second) * (size // 2)  # type: ignore[operator]
    for _ in range(examples):
        near = empty.join(_example(counted.tree, alphabet, rng))  # type: ignore[arg-type]
        start, end = sorted((rng.randint(0, len(near)), rng.randint(0, len(near))))
        pump = near[start:end][:12] or rng.choice(alphabet)
        tail = empty.join(rng.choices(alphabet, k=rng.randint(0, 3)))  # type: ignore[arg-type]
        yield near[:start] + pump * (size // len(pump)) + tail  # type: ignore[operator]


def _example(items: Any, alphabet: list[Text], rng: random.Random) -> Iterator[Text]:
    """Pieces of a text that nearly matches."""
    for op, value in items:
        name = str(op).lower()
        if name == "literal":
            yield chr(value) if isinstance(alphabet[0], str) else bytes([value])
        elif name in ("not_literal", "any", "in"):
            alone = _compiler.compile(_parser.SubPattern(items.state, [(op, value)]), items.state.flags)
            yield rng.choice([char for char in alphabet if alone.match(char)] or alphabet)
        elif name in ("subpattern", "atomic_group"):
            yield from _example(value[-1] if name == "subpattern" else value, alphabet, rng)
        elif name == "branch":
            yield from _example(rng.choice(value[1]), alphabet, rng)
        elif name.endswith("repeat"):
            for _ in range(rng.randint(value[0], min(int(value[1]), value[0] + 3))):
                yield from _example(value[2], alphabet, rng)
