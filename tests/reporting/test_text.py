"""Untrusted text and numbers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.reporting.text import caption_text, count, mask_people, percent, plain, points


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("by u/xyz today", "by u/… today"),
        ("/u/Some-One_1!", "/u/…!"),
        ("see reddit.com/user/xyz", "see reddit.com/user/…"),
        ("thanks @some.body.", "thanks @…."),
        ("write to me.too+x@mail.example.org now", "write to …@… now"),
        ("24/7 and/or a menu/card", "24/7 and/or a menu/card"),
        ("a house @ dawn", "a house @ dawn"),
    ],
)
def test_only_user_names_and_addresses_are_masked(text: str, shown: str) -> None:
    assert mask_people(text) == shown


def test_a_zero_width_character_does_not_hide_a_user_name() -> None:
    assert caption_text("by u\u200b/xyz and @\u2060abc") == "by u/… and @…"


def test_bidi_overrides_are_removed() -> None:
    assert caption_text("\u202eexe.gnp\n\tend") == "exe.gnp end"


@given(st.text(max_size=400))
def test_shown_text_is_a_single_bounded_line_of_visible_characters(text: str) -> None:
    shown = caption_text(text, 50)
    assert len(shown) <= 50
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in shown)
    assert "\n" not in shown and "\u2028" not in shown


def test_numbers_by_hand() -> None:
    assert (percent(-0.0001), percent(-0.0213)) == ("0.0", "−2.1")
    assert (percent(0.6123), points(0.0213), points(-0.0213), points(-0.0001)) == ("61.2", "+2.1", "−2.1", "0.0")
    assert (count(1234567), plain(3.0), plain(-0.25), plain(0.00001234)) == (
        "1\u202f234\u202f567",
        "3",
        "−0.250",
        "1.23e−05",
    )
    shown = [plain(value) for value in (0.00123, 9.5, 45.219, -147.640, 1740.9, 999_999.6)]
    assert shown == ["0.001", "9.500", "45.2", "−148", "1\u202f741", "1\u202f000\u202f000"]
