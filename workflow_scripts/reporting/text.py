"""Untrusted text, numbers and colours as the page shows them."""

import re
import unicodedata

_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_REDDIT_USER = re.compile(r"(?<!\w)(/?u(?:ser)?/)[A-Za-z0-9_-]+", re.IGNORECASE)
_AT_USER = re.compile(r"(?<!\w)@[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# Cc control, Cf format (bidi overrides, zero width), Cs lone surrogates, Co private use, Cn unassigned.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_ARMS = {name: name for name in ("self", "original", "generated", "revised", "shuffled", "visual", "mixed", "none")}
_ARMS["untrained"] = "none"


def mask_people(text: str) -> str:
    """Hide user names (u/xyz, @xyz) and mail addresses: people in captions did not ask to be in a report."""
    text = _MAIL.sub("…@…", text)
    text = _REDDIT_USER.sub(lambda match: f"{match.group(1)}…", text)
    return _AT_USER.sub("@…", text)


def caption_text(text: str, limit: int = 280) -> str:
    """A caption for display: no invisible characters, one line, masked, at most `limit` characters.

    Invisible characters are removed first, so that a zero-width character inside a user name cannot hide it from the
    mask.
    Not escaped: the templates do that (autoescape).
    """
    return cut(mask_people(visible(text)), limit)


def visible(text: str) -> str:
    """``text`` on one line, without invisible characters."""
    if not text.isprintable():  # most texts are printable, and the loop is slow
        text = "".join(
            " " if char.isspace() else char
            for char in text
            if char.isspace() or unicodedata.category(char) not in _UNSEEN
        )
    return " ".join(text.split())


def cut(text: str, limit: int) -> str:
    """The beginning of ``text`` with an ellipsis, if it has more than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def percent(value: float) -> str:
    """0.6123 -> "61.2": a share in per cent, the unit stands in the table's head."""
    return f"{100 * value:z.1f}".replace("-", "−")


def points(difference: float) -> str:
    """0.0213 -> "+2.1": a difference of shares in percentage points, sign always shown."""
    text = f"{100 * difference:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def minus(contrast: str) -> str:
    """`revised - original` -> "revised − original", with a minus sign."""
    return contrast.replace(" - ", " − ")


def count(value: int) -> str:
    """1234567 -> "1 234 567" with narrow no-break spaces."""
    return f"{value:,}".replace(",", "\u202f")


def plain(value: float) -> str:
    """A number of unknown scale: whole ones and those from 100 on without decimals, from 10 on with one, else three."""
    if abs(value) < 1e15 and (abs(value) >= 100 or float(value).is_integer()):
        return count(round(value)).replace("-", "−")
    text = f"{value:.1f}" if 10 <= abs(value) < 100 else f"{value:.3f}" if 0.001 <= abs(value) < 10 else f"{value:.3g}"
    return text.replace("-", "−")


def words(name: str) -> str:
    """`mean_per_class` -> "mean per class": names of metrics and reasons for display."""
    return name.replace("_", " ")


def lost_for(reason: str) -> str:
    """Why rows were lost, in words; an empty caption stands for one that is missing, too."""
    return words({"empty_caption": "no_caption", "no_row": "image_without_a_row"}.get(reason, reason))


def arm_class(name: str) -> str:
    """CSS class of an arm or of a pair table made from one (`revised`, `revised-subreddit`); `other` if unknown.

    One colour per arm, the same everywhere on the page; the values stand in style.css as --arm-<slot>. The hues are
    those of Okabe and Ito (2008), which people with any common colour-blindness can tell apart.
    """
    first = name.replace("_", "-").replace(".", "-").split("-")[0]
    return f"arm-{_ARMS.get(first, 'other')}"
