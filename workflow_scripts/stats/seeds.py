"""Seeds derived by hashing, so that no two uses share a stream and the order of work does not matter."""

import hashlib


def derive(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one use of ``seed``.

    ``parts`` name the use (stage, shard, step, row...). The value depends on nothing else: not on the platform,
    the Python version, or how many seeds were derived before.
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
