"""What a published crate may contain: which files, and settings without people or places."""

import re
from collections.abc import Mapping
from typing import Any

from workflow_scripts.core.errors.text import redacted

# Whose they are or where they ran; and who asked to be taken out, by hashes that anyone with the annotations can match.
PRIVATE_SETTINGS = frozenset({"contact", "user_agent", "connect_to", "allow_addresses", "exclude"})
# Stage -> suffixes of the files of which a crate may hold copies -> whether it does so at any size.
Published = Mapping[str, Mapping[str, bool]]
MAIL = r"(?<![\w.+-])(?:[\w.+-]++@(?:[\w-]++\.)+[A-Za-z]{2,})+"  # one, or several that touch
_MAIL = re.compile(MAIL)
_ROOT = re.compile(r"(?:file://|[a-z]+:(?=/(?!/)))?[/~]")


def goes_along(published: Published, stage: str, suffix: str, size: int, limit: int) -> bool:
    """Whether a crate holds a copy of the file: one that may be published, if it has at most ``limit`` bytes."""
    at_any_size = published.get(stage, {}).get(suffix)
    return at_any_size is not None and (at_any_size or size <= limit)


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as one level, without private ones, absolute paths, logins and mail addresses; null ones left out."""
    found: dict[str, Any] = {}
    for name, value in sorted(settings.items()):
        if name in PRIVATE_SETTINGS or value is None:
            continue
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in public_settings(value).items()}
        else:
            found[name] = public_value(value)
    return found


def public_value(value: Any) -> Any:
    """A value with private parts of its texts removed."""
    if isinstance(value, str):
        return public_text(value)
    if isinstance(value, Mapping):
        return public_settings(value)
    if isinstance(value, list | tuple):
        return [public_value(one) for one in value]
    return value


def public_text(text: str) -> str:
    """``/home/somebody/data/redcaps.zip`` -> ``.../redcaps.zip``; secrets in URLs and mail addresses are removed."""
    root = _ROOT.match(text)
    if root:
        return f".../{text[root.end() :].removesuffix('/').rpartition('/')[2]}"
    return _MAIL.sub("...", redacted(text))
