"""The command line that all stages share."""

import argparse
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST


def groups(options: list[list[str]]) -> dict[str, list[str]]:
    """``[["name=a", "b"], ["other=c"]]`` as values by name; an empty value means no path.

    A value that is the path of a file is no pattern, even if there are braces in it.
    """
    groups = {}
    for first, *rest in options:
        name, _, value = first.partition("=")
        paths = [[one] if os.path.exists(one) else written_out(one) for one in (value, *rest) if one]
        groups[name] = list(chain.from_iterable(paths))
    return groups


def written_out(value: str) -> list[str]:
    """The paths that a brace pattern expands to, as in a shell: ``a/{00000..00002}.x``, ``{a,b}.{c,d}``; none: ``{}``.

    Patterns are used because a command line can't hold thousands of paths.
    """
    before, brace, rest = value.partition("{")
    if not brace:
        return [value]
    inside, _, after = rest.partition("}")
    first, dots, last = inside.partition("..")
    if dots:
        names = [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    else:
        names = inside.split(",") if inside else []
    return [f"{before}{name}{end}" for name in names for end in written_out(after)]


def arguments(stage: str, argv: list[str] | None) -> argparse.Namespace:
    """The command line that every stage shares; ``unit``, ``input`` and ``source`` are values by name."""
    parser = argparse.ArgumentParser(prog=f"python -m workflow_scripts.stages.{stage}", allow_abbrev=False)
    parser.add_argument("--artifact", required=True, help="results/<study>/<stage>/<name>, or its manifest's path")
    parser.add_argument("--settings", required=True, help="settings as JSON")
    parser.add_argument("--unit", nargs="*", default=[], metavar="K=V", help="wildcard values")
    parser.add_argument("--input", nargs="+", action="append", default=[], metavar="NAME=MANIFEST")
    parser.add_argument("--source", nargs="*", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument(
        "--also",
        nargs="+",
        action="append",
        default=[],
        metavar="ARTIFACT NAME=VALUE",
        help="another artifact to make if this process has to compute: the wildcards and inputs in which it differs",
    )
    parser.add_argument(
        "--in-turn",
        default="",
        metavar="NAME=VALUES",
        help="more artifacts to make if this process has to compute, one after the other: values (00000..00002,00005) "
        "of the wildcard in which they differ, also in the names of inputs",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--gpu-mb", type=int, default=0, help="memory of a GPU that the job is estimated to need")
    parser.add_argument("--threads", type=int, default=1, help="math threads; part of the key")
    parser.add_argument("--workers", type=int, default=1, help="for input and output; not part of the key")
    args = parser.parse_args(argv)
    args.unit, args.source = _values(args.unit), _values(chain.from_iterable(args.source))
    args.input = groups(args.input)
    return args


def _values(words: Iterable[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def also(args: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The command lines of the artifacts named by ``--also`` whose inputs exist.

    ``--also ARTIFACT NAME=VALUE...`` states what differs from this command: wildcard values and inputs.
    """
    for artifact, *words in args.also:
        other = _values(words)
        unit = {name: other.pop(name, value) for name, value in args.unit.items()}
        if all(Path(path).exists() for path in other.values()):
            inputs = args.input | {name: [path] for name, path in other.items()}
            yield argparse.Namespace(**{**vars(args), "artifact": artifact, "unit": unit, "input": inputs, "also": []})


def in_turn(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The command lines of the artifacts that ``--in-turn`` names, from the one after the command's own on.

    Artifact and inputs that are named after the own value are named after the other instead.
    """
    name, _, ranges = args.in_turn.partition("=")
    own = args.unit.get(name)
    values = [value for part in ranges.split(",") if part for value in written_out(f"{{{part}}}")]
    if own in values:  # workers that start at different ones rarely want the same one
        place = values.index(own)
        values = [*values[place + 1 :], *values[:place]]

    def renamed(path: str, value: str) -> str:
        return str(Path(path).with_name(value + MANIFEST)) if Path(path).name == f"{own}{MANIFEST}" else path

    found = []
    for value in values:
        inputs = {key: [renamed(path, value) for path in paths] for key, paths in args.input.items()}
        unit, artifact = args.unit | {name: value}, str(Path(args.artifact).with_name(value))
        changed = {"artifact": artifact, "unit": unit, "input": inputs, "also": [], "in_turn": ""}
        found.append(argparse.Namespace(**{**vars(args), **changed}))
    return found
