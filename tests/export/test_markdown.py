"""Names in a card are text, whatever they contain."""

import pytest
from markdown_it import MarkdownIt

from workflow_scripts.export.markdown import code

NASTY = [
    "plain_name-0",
    "a|b",
    "`tick`",
    "``two`` ticks",
    "<script>alert(1)</script>",
    "[link](javascript:alert(1))",
    "![x](http://evil.invalid/x.png)",
    "www.evil.invalid https://evil.invalid",
    "*bold* _it_ ~~gone~~",
    "trailing\\",
    "&lt;b&gt; &amp;",
    "line\nbreak\r\n# heading",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_renders_as_a_single_code_cell(name):
    text = f"| a | b |\n|---|---|\n| {code(name)} | end |\n"
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).enable("table").render(text)
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert body.count("<td>") == 2
    assert body.count("<code>") == 1
    for tag in ("<a", "<img", "<script", "<em", "<strong", "<s>", "<h1"):
        assert tag not in body


def test_no_name_looks_like_a_mark_of_the_card():
    assert "<!--" not in code("<!-- removed images -->")


def test_long_names_are_cut_and_empty_names_labelled():
    assert len(code("x" * 500)) == 202
    assert code("x" * 500).endswith("…`")
    assert code("\u200b") == "`(empty)`"
