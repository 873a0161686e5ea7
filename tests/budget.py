"""The size of the project, held to ceilings: ``python -m tests.budget``, part of ``make check``.

Lines of code are those without docstrings, comments and blank lines. Raising a ceiling needs a line below that says
what users get for it.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CEILINGS = {
    # Primary contrasts with tests and endpoints of their own, power before a run, corrections of scores, controls,
    # agreement with people's ratings: studies that can decide their question. Eight claims at three scales, answered by
    # one command with a page; a demo world with open captions, which can be varied in coverage and precision. What was
    # found is a page of its own. A report that begins with its answer and names sides, reasons and rows in words, with
    # figures and tables for papers; `check`, `init`, `paper`, `impact` and `sign`; caption lists and studies without
    # recaptioning; a tutorial and a site. A warning before a run that no labelled set can decide its question.
    # Score intervals of shares that hardly any lost row has; cards that tell supervised networks from others. What
    # config.yaml has beside a key's default; what a file of a package reached.
    "lines of code in workflow_scripts": 41_000,
    "files in workflow_scripts": 560,
    "lines of rules and templates": 2_430,
    "lines of code in tests": 53_400,
    "kB of docs": 336,
    "keys of the config": 412,
}
CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
TEMPLATES = (".smk", ".html", ".css", ".js", ".jinja")


def code_lines(text: str) -> int:
    """Lines that hold code, the last line of a docstring not included."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, CODE) and ast.get_docstring(node, clean=False) is not None:
            docstrings.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in docstrings and line.strip()[0] != "#" for number, line in lines)


def sizes(root: Path = ROOT) -> dict[str, int]:
    """What :data:`CEILINGS` limits, of the files that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    texts = {
        name: (root / name).read_text()
        for name in listed
        if name.endswith((".py", *TEMPLATES)) and (root / name).is_file()
    }
    texts["Snakefile"] = (root / "Snakefile").read_text()
    package = [
        code_lines(text)
        for name, text in texts.items()
        if name.startswith("workflow_scripts/") and name.endswith(".py")
    ]
    tests = [code_lines(text) for name, text in texts.items() if name.startswith("tests/") and name.endswith(".py")]
    other = [text for name, text in texts.items() if not name.endswith(".py")]
    pages = [root / name for name in listed if name.startswith("docs/") and name.endswith(".md")]
    schema = json.loads((root / "docs/config.schema.json").read_bytes())
    # A block with the same keys as another one, of which all are optional, counts once.
    blocks = {frozenset(block.get("properties", {})) for block in (schema, *schema.get("$defs", {}).values())}
    counts = (
        sum(package),
        len(package),
        sum(bool(line.strip()) for text in other for line in text.splitlines()),
        sum(tests),
        -(-sum(page.stat().st_size for page in pages) // 1000),
        sum(map(len, blocks)),
    )
    return dict(zip(CEILINGS, counts, strict=True))


def main() -> None:
    """Print each size beside its ceiling; exit status 1 if one is above."""
    found = sizes()
    for what, size in found.items():
        print(f"{size:>7,} of {CEILINGS[what]:>7,} {what}{': over the ceiling' if size > CEILINGS[what] else ''}")
    sys.exit(any(size > CEILINGS[what] for what, size in found.items()))


if __name__ == "__main__":
    main()
