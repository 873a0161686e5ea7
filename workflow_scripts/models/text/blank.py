"""Which captions say nothing."""


def is_blank(text: str | None) -> bool:
    """Whether a caption is missing, empty or only white space. Its image counts as one without a caption."""
    return not (text or "").strip()
