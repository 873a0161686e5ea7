"""A small tokenizer in the files of CLIP's, and CLIP's algorithm, written independently of the library."""

import json
import re
from pathlib import Path

MERGES = [
    ("d", "i"),
    ("di", "s"),
    ("dis", "c</w>"),
    ("r", "e"),
    ("re", "d</w>"),
    ("a", "r"),
    ("t", "h"),
    ("th", "e</w>"),
]


def alphabet() -> dict[int, str]:
    """Each byte as the character that stands for it: itself if it is printable, else one above 255."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def tokens() -> list[str]:
    """All tokens by id: bytes, bytes that end a word, merges, start and end."""
    single = list(alphabet().values())
    joined = ["".join(pair) for pair in MERGES]
    return [*single, *(f"{one}</w>" for one in single), *joined, "<|startoftext|>", "<|endoftext|>"]


def save_clip_tokenizer(folder: Path, leave_out: str = "") -> Path:
    """Write vocab.json and merges.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: i for i, token in enumerate(tokens()) if token != leave_out}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in MERGES) + "\n")
    return folder


def reference_ids(text: str) -> list[int]:
    """Ids of an ASCII text by Radford et al.'s simple_tokenizer.py, without start and end."""
    number, characters, found = {token: i for i, token in enumerate(tokens())}, alphabet(), []
    for word in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower()):
        parts = [characters[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        for pair in MERGES:  # in order of rank, each wherever it occurs
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == pair:
                    parts[at : at + 2] = ["".join(pair)]
                at += 1
        found += [number[part] for part in parts]
    return found
