"""Settings of decoding that contradict each other are refused."""

import re

import pytest
from pydantic import ValidationError

from workflow_scripts.captions.recaptioning.decoding import Decoding


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 5, "min_new_tokens": 6}, "min_new_tokens 6 is above max_new_tokens 5"),
        ({"beams": 3, "num_captions": 4}, "num_captions is 4, but 3 beams give 3 captions"),
        ({"length_penalty": 0.5}, "length_penalty has no effect on one beam; set beams to 5"),
        ({"temperature": 0.7}, "temperature has no effect without sampling; set beams to 1 and num_captions to 5"),
        ({"beams": 3, "num_captions": 3, "top_p": 0.5}, "top_p has no effect without sampling"),
        ({"seed": 1}, "seed has no effect without sampling"),
        ({"beams": 0}, "greater than or equal to 1"),
        ({"repetition_penalty": 0}, "greater than 0"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Decoding(**settings)


def test_limits_are_allowed() -> None:
    Decoding(max_new_tokens=5, min_new_tokens=5, beams=3, num_captions=3, length_penalty=-1.0)
    Decoding(beams=1, num_captions=100, temperature=0.7, top_p=0.5, seed=1)
    Decoding(beams=3, temperature=1.0, top_p=0.9, seed=0)
