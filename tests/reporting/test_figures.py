"""Figures and tables as files: equal bytes, safe text, the plotted numbers."""

import csv
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas

from workflow_scripts.reporting.drawing.style import COLOURS, DASHES, colour
from workflow_scripts.reporting.drawing.svg import SVG, XLINK
from workflow_scripts.reporting.figures import Figure, tip
from workflow_scripts.reporting.page import TEMPLATES, file_name, files, links
from workflow_scripts.reporting.tables import ACROSS, Table, latex, markdown, stem

HOSTILE = "<script>alert(1)</script> & $x_{$ \x07\ud800 url(http://a.b) ]]> 中"


def draw(canvas: Canvas) -> None:
    axes = canvas.subplots()
    (line,) = axes.plot([0, 1], [2, 3], marker="o", color=colour("arm-self"), linestyle=DASHES[1])
    tip(line, HOSTILE)
    axes.set(xlabel=HOSTILE, title=HOSTILE)
    axes.set_yticks([2, 3], [HOSTILE, "b"])


def made(name: str = "a", draw: Callable[[Canvas], None] = draw) -> Figure:
    return Figure(name, HOSTILE, HOSTILE, ("name", "y"), [(HOSTILE, 0.1), ("=1+1", None), ("n", float("nan"))], draw)


@pytest.fixture(scope="module")
def formats() -> dict[str, bytes]:
    return made().files()


def test_two_drawings_have_the_same_bytes(formats: dict[str, bytes]) -> None:
    again = made()
    assert again.files() == formats and again.inline == made().inline


def test_svg_is_safe_xml_with_the_text_as_text(formats: dict[str, bytes]) -> None:
    inline = made().inline
    for drawn in (formats["svg"].decode(), inline):
        root = ElementTree.fromstring(drawn)
        assert {element.tag.removeprefix(f"{{{SVG}}}") for element in root.iter()} <= {
            "svg", "title", "desc", "defs", "g", "path", "use", "text", "rect"
        }  # fmt: skip
        names = {name for element in root.iter() for name in element.attrib}
        assert not any(name.startswith("on") for name in names) and "style" not in names and "href" not in names
        links = {element.get(f"{{{XLINK}}}href") for element in root.iter(f"{{{SVG}}}use")}
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert links == {f"#{name}" for name in ids} and len(set(ids)) == len(ids)
        said = "<script>alert(1)</script> & $x_{$ url(http://a.b) ]]> 中"
        texts = [text.text for text in root.iter(f"{{{SVG}}}text")]
        assert texts.count(said) == 3 and [text.text for text in root.iter(f"{{{SVG}}}title")] == [said, said]
    assert len(inline) < 8_000


def test_ids_of_two_figures_differ() -> None:
    one, two = (set(re.findall(' id="([^"]+)"', made(name).inline)) for name in ("a", "b"))
    assert one and not one & two


def test_the_page_has_variables_and_the_file_fixed_colours(formats: dict[str, bytes]) -> None:
    inline, file = made().inline, formats["svg"].decode()
    assert 'stroke="var(--arm-self)"' in inline and "#" not in re.sub('href="#', "", inline)
    assert f'stroke="{COLOURS["arm-self"]}"' in file and "var(" not in file
    assert "font-family" not in inline and "DejaVu Sans" in file


def test_colours_are_those_of_the_style_sheet() -> None:
    light = (TEMPLATES / "style.css").read_text().partition("@media")[0]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    assert {name: found[name] for name in COLOURS} == COLOURS and len(set(COLOURS.values())) == len(COLOURS)


def test_csv_has_the_numbers(formats: dict[str, bytes]) -> None:
    rows = list(csv.reader(io.StringIO(formats["csv"].decode())))
    assert rows[0] == ["name", "y"] and rows[1][1] == "0.1" and [row[1] for row in rows[2:]] == ["", ""]
    assert "\x07" not in formats["csv"].decode()


@pytest.mark.parametrize(("tool", "extension"), [("rsvg-convert", "svg"), ("pdftoppm", "pdf")])
def test_other_programs_open_the_files(formats: dict[str, bytes], tmp_path: Path, tool: str, extension: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    path = tmp_path / f"a.{extension}"
    path.write_bytes(formats[extension])
    command = [tool, *(["-png"] if tool == "pdftoppm" else []), str(path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout
    assert formats["pdf"].startswith(b"%PDF") and b"CreationDate" not in formats["pdf"]


@pytest.mark.parametrize(("text", "found"), [("curve a_b-1", "curve-a_b-1"), ("../x", "---x-"), ("A", "a-")])
def test_stems_are_safe_and_differ(text: str, found: str) -> None:
    assert stem(text).startswith(found) and re.fullmatch("[a-z0-9_-]+", stem(text))
    assert len({stem(other) for other in (text, f"{text}é", f"{text}è", text * 20, text * 21)}) == 5
    assert len(stem(text * 21)) <= 60


def test_files_of_a_context_are_found_wherever_they_stand() -> None:
    table = Table("t", "Title", ["a"], [["b"]])
    found = files({"x": [({"deep": made()}, 1)], "table": table, "text": "t"})
    assert set(found) == {"figure-a.svg", "figure-a.pdf", "figure-a.csv", "table-t.csv", "table-t.tex", "table-t.md"}
    assert file_name(table, "md") == "table-t.md" and links(table)[1] == ("TEX", "index/table-t.tex")


def test_two_tables_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="two figures or tables are called t"):
        files({"a": [Table("t", title, ["a"], [["b"]]) for title in ("A", "B")]})


def test_a_table_has_the_same_cells_in_every_format() -> None:
    table = Table(
        "t", "A & B\n\\input{x}", ["arm", "a_b"], [["50% | <b>", "−1.5 [−2.0, −1.0]"], ["[x]", "1\u202f234"]], {(1, 1)}
    )
    csv_, tex, md = (content.decode() for content in table.files().values())
    assert list(csv.reader(io.StringIO(csv_))) == [
        ["arm", "a_b"], ["50% | <b>", "-1.5 [-2.0, -1.0]"], ["[x]", "1234"]
    ]  # fmt: skip
    assert tex.splitlines() == [
        r"% \caption{A \& B \textbackslash{}input\{x\}.}", r"\begin{tabular}{@{}lr@{}}", r"\toprule",
        r"arm & a\_b \\", r"\midrule",
        r"50\% \textbar{} \textless{}b\textgreater{} & $-$1.5 {[}$-$2.0, $-$1.0{]} \\",
        r"{[}x{]} & \textbf{1\,234} \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    assert r"| 50% \| \<b\> | −1.5 \[−2.0, −1.0\] |" in md and "**1" in md


def test_intervals_of_wide_tables_are_below_their_values_in_latex() -> None:
    cells = ["a", "3", "1.5 [1.0, 2.0]", "–", "2"]
    table = Table("t", "T", ["runs", "seeds", "probe (accuracy)", "kNN", "few"], [cells, cells], {(0, 2)})
    lines = table.files()["tex"].decode().splitlines()
    assert lines[3:6] == [r"runs & seeds & probe & kNN & few \\", r" &  & \scriptsize (accuracy) &  &  \\", r"\midrule"]
    assert lines[6:8] == [r"a & 3 & \textbf{1.5} & -- & 2 \\", r" &  & \scriptsize {[}1.0, 2.0{]} &  &  \\"]


def test_long_tables_break_over_pages_and_lines_in_latex() -> None:
    tex = Table("t", "T", ["a", "b"], [["x_y.z", "1.5"]] * 50, note="Note.").files()["tex"].decode()
    assert r"\begin{longtable}" in tex and r"\caption{T. Note.} \\" in tex and "tabular" not in tex
    assert r"x\_\allowbreak{}y.\allowbreak{}z & 1.5 \\" in tex


def test_latex_and_markdown_escape_every_special_character() -> None:
    special = '\\{}$&#%_^~<>|"`[]*'
    escaped = latex(special)
    assert escaped == (
        r"\textbackslash{}\{\}\$\&\#\%\_\textasciicircum{}\textasciitilde{}\textless{}\textgreater{}\textbar{}"
        r"{''}\`{}{[}{]}{*}"
    )
    assert latex("a\nb\x00") == "a b" and markdown("a\n# b<") == r"a \# b\<"


@pytest.mark.parametrize("cell", ["", "x" * 300, "—"])
def test_a_long_table_can_have_blank_columns_and_endless_words(cell: str) -> None:
    tex = Table("t", "T", ["", "a"], [[cell, "b"]] * 41).files()["tex"].decode()
    widths = [float(share) for share in re.findall(r"dimexpr ([.\d]+)\\linewidth", tex)]
    assert len(widths) == 2 and sum(widths) == pytest.approx(1, abs=0.01)


def test_no_word_of_a_long_table_is_wider_than_its_column() -> None:
    heads = ["contrast", "p", "p, adjusted", "detectable", "verdict", "a", "b", "c"]
    row = ["a rather long name of a contrast", "0.013", "0.013", "13.1", "inconclusive: the difference may be chance"]
    tex = (
        Table("t", "T", heads, [[*row, "a_rather_long_name.of_a.setting", "x" * 18, "3 seeds"]] * 41)
        .files()["tex"]
        .decode()
    )
    widths = [float(share) * ACROSS for share in re.findall(r"dimexpr ([.\d]+)\\linewidth", tex)]
    assert len(widths) == 8 and sum(widths) == pytest.approx(ACROSS, rel=0.01)
    assert all(width >= word + 2 for width, word in zip(widths, [8, 5, 9, 10, 13, 7, 18, 5], strict=True))
