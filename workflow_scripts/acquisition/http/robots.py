"""The X-Robots-Tag header, as far as it is about training data."""

from collections.abc import Iterable

FORBIDDEN = frozenset({"noai", "noimageai"})
VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def forbids_ai(headers: Iterable[str], agent: str) -> bool:
    """Whether an answer's X-Robots-Tag headers say ``noai`` or ``noimageai`` to everybody or to ``agent``.

    Args:
        headers: values such as ``noai, noindex`` or ``somebot: noai``; a name holds up to the end of its header.
        agent: the product name in our User-Agent, in lower case.
    """
    for header in headers:
        addressed = True
        for part in header.lower().split(","):
            name, colon, rule = (text.strip() for text in part.partition(":"))
            if colon and name not in VALUED:
                addressed, name = name in ("*", agent), rule
            if addressed and name in FORBIDDEN:
                return True
    return False
