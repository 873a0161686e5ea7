"""The measure of the project's size, on a text whose lines of code are counted by hand."""

from tests.budget import CEILINGS, code_lines, sizes

TEXT = '''"""A docstring
of two lines."""

import os  # one


def function() -> str:  # two
    """Not counted."""
    # nor this
    return """three

    four"""
'''


def test_lines_without_docstrings_comments_and_blank_lines_are_counted() -> None:
    assert code_lines(TEXT) == 4


def test_every_size_limit_is_measured() -> None:
    assert sizes().keys() == CEILINGS.keys() and all(sizes().values())
