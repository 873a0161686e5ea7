"""The command line that all stages share."""

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path


def groups(options: list[list[str]]) -> list[tuple[str, list[str]]]:
    """``[["name=a", "b"], ["other=c"]]`` as names and values; an empty value means no path."""
    groups = []
    for first, *rest in options:
        name, _, value = first.partition("=")
        groups.append((name, [path for one in (value, *rest) if one for path in written_out(one)]))
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
    """The command line that every stage shares."""
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
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1, help="math threads; part of the key")
    parser.add_argument("--workers", type=int, default=1, help="for input and output; not part of the key")
    return parser.parse_args(argv)


def also(args: argparse.Namespace, unit: Collection[str]) -> Iterator[argparse.Namespace]:
    """The command lines of the artifacts named by ``--also`` whose inputs exist.

    ``--also ARTIFACT NAME=VALUE...`` states what differs from this command: wildcard values and inputs.

    Args:
        unit: names of the wildcards; other names are inputs.
    """
    for artifact, *words in args.also:
        other = dict(word.split("=", 1) for word in words)
        if not all(Path(path).exists() for name, path in other.items() if name not in unit):
            continue
        own = dict(pair.split("=", 1) for pair in args.unit)
        values = [f"{name}={other.pop(name, value)}" for name, value in own.items()]
        inputs = [group for group in args.input if group[0].partition("=")[0] not in other]
        inputs += [[f"{name}={path}"] for name, path in other.items()]
        yield argparse.Namespace(**{**vars(args), "artifact": artifact, "unit": values, "input": inputs, "also": []})
