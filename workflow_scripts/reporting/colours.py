"""One colour per arm, the same everywhere on the page; the values stand in style.css as --arm-<slot>.

The hues are those of Okabe and Ito (2008), which people with any common colour-blindness can tell apart.
"""

_FIXED = {
    "self": "self",
    "original": "original",
    "generated": "generated",
    "revised": "revised",
    "shuffled": "shuffled",
    "visual": "visual",
    "mixed": "mixed",
    "none": "none",
    "untrained": "none",
}


def arm_class(name: str) -> str:
    """CSS class of an arm or of a pair table made from one (`revised`, `revised-subreddit`); `other` if unknown."""
    first = name.replace("_", "-").replace(".", "-").split("-")[0]
    return f"arm-{_FIXED.get(first, 'other')}"
