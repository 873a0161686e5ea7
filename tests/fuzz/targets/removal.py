"""Removal lists: text files of image ids and urls."""

import random
from pathlib import Path

from tests.fuzz.mutate import TEXTS, mutate_bytes
from tests.fuzz.target import Files, Target
from workflow_scripts.acquisition.annotations.removal_tokens import read_tokens

ENTRIES = (
    "abc123",
    "https://i.redd.it/abc.jpg",
    "HTTP://User@I.Redd.It.:80/a%2fb?x=1#frag",
    "# a comment",
    "",
    "  x1  ",
    "http://[::1]:8080/a",
    "https://münchen.example/ä.png",
    "https://a.test/%",
    "http://a.test:99999/",
    "http://",
    "https://xn--mnchen-3ya.example/",
    "https://a..b/",
    "https://a.test/" + "a" * 5000,
    "not an id",
    "ftp://a/b",
)


class Fuzzed(Target):
    """Lists of good and bad entries, and damaged ones."""

    def make(self, rng: random.Random) -> Files:
        """One list, or a folder with several."""
        names = ["list"] if rng.random() < 0.8 else ["lists/a.txt", "lists/-b", "lists/.hidden"]
        return {name: _list(rng) for name in names}

    def run(self, folder: Path) -> str:
        """Tokens of all entries."""
        only = folder / "list"
        tokens = read_tokens(only if only.exists() else folder / "lists")
        assert all(len(token) == 64 for token in tokens)
        return "accepted"


def _list(rng: random.Random) -> bytes:
    few = rng.random() < 0.5
    entries = [rng.choice(ENTRIES[:7] if few else (*ENTRIES, *TEXTS)) for _ in range(rng.choice((0, 1, 3, 30)))]
    text = rng.choice(("\n", "\r\n", "\r")).join(entries)
    data = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), errors="replace")
    return mutate_bytes(data, rng) if rng.random() < 0.4 else data
