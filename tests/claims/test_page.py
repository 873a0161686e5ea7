"""The page of claims and its Markdown: complete without any study, and with studies of every claim."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from tests.claims.designs import C8, CONTRASTS, DIMENSIONS, RUNS
from tests.claims.made_up import C1_SHARE, START, drawn, flips, orderings_of, purity, scored, study, write
from workflow_scripts.claims.catalogue import CLAIMS
from workflow_scripts.claims.findings import Found, read
from workflow_scripts.claims.page import Studies, _curves, _forests, html, markdown
from workflow_scripts.claims.sentences import sentence
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty

ATTACK = "<img src=x onerror=alert(1)>"
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Tags(HTMLParser):
    """Checks that every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def checked(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    assert not tags.open and len(set(tags.ids)) == len(tags.ids)
    return tags


def one_of_each() -> list[Found]:
    """A study of each claim, without effects."""
    rng, found = np.random.default_rng(5), []
    for name, contrasts in CONTRASTS.items():
        runs = RUNS.get(name, [])
        ends = {
            "c1": lambda: scored(rng, CONTRASTS["c1"], C1_SHARE),
            "c5": lambda: [(CONTRASTS["c5"][0], purity(rng, CONTRASTS["c5"][0], dict.fromkeys(DIMENSIONS, 0.5)))],
            "c6": lambda: [(CONTRASTS["c6"][0], orderings_of(rng, RUNS["c6"], "noise"))],
            "c8": lambda: [(one, flips(rng, one, 0.02)) for one in C8],
        }.get(name, list)()
        scores = drawn(rng, runs, lambda _: START)
        found.append(study(f"claims-demo-{name}", contrasts, [] if name == "c6" else runs, scores, ends))
    return found


@pytest.fixture(scope="module")
def studies() -> Studies:
    found: dict[tuple[str, str], list[Found]] = {}
    for number, one in enumerate(one_of_each()):
        claim = one.name.split("-")[2].upper()
        with_root = replace(one, root=f"{number:064x}", commit=f"{number:040x}", smallest_effect=5.0)
        found.setdefault((claim, "demo"), []).append(with_root)
    return found


def test_a_page_without_studies_has_all_claims() -> None:
    page, text = html({}), markdown({}).decode()
    tags = checked(page)
    for claim in CLAIMS:
        assert claim.name in tags.ids and f"## {claim.name}. {claim.question}" in text
        assert escape(claim.limits) in page.decode()
    assert page.decode().count("No study of this claim has been run.") == text.count("No study of this claim") == 8


def test_a_page_has_each_sentence_contrast_and_root_hash(studies: Studies) -> None:
    page, text = html(studies).decode(), markdown(studies).decode()
    checked(page.encode())
    plain = page.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    for claim in CLAIMS:
        found = studies[claim.name, "demo"]
        told = sentence(claim, "demo", found)
        assert told in plain and told in text
        for one in found:
            assert one.root in page and one.commit in page and one.root[:16] in text and one.name in text
            for contrast in {row["contrast"] for row in one.contrasts if row["primary"]}:
                assert contrast.replace(" - ", " − ") in plain
    assert all("Nothing is adjusted over the studies" in shown for shown in (page, text))
    assert (
        page.count("<svg") >= 8
        and "<script" not in page
        and "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    )


def test_each_objective_of_a_contrast_has_a_row(studies: Studies) -> None:
    one, *_ = studies["C2", "demo"]
    claim = next(claim for claim in CLAIMS if claim.name == "C2")
    found = [(one, part, row) for part in claim.parts for row in one.primary(part.contrast)]
    (forest,) = _forests("c2", found)
    names = [row[3] for row in forest.rows]
    assert len(names) == len(set(names)) == len(found) and "c2: revised − original, sklearn" in names


def test_an_open_contrast_names_the_trainings_that_would_decide_it(studies: Studies) -> None:
    page = html(studies).decode()
    assert "To decide claims-demo-c2, revised − original: " in page
    assert "would be found in 80 % of studies" in page or "no number of seeds" in page


def test_what_is_built_in_is_said_in_the_demo_alone(studies: Studies) -> None:
    full = {(claim, "full"): found for (claim, _), found in studies.items()}
    assert html(studies).decode().count("built in") == sum(bool(claim.built_in) for claim in CLAIMS)
    assert "built in" not in html(full).decode() and "built in" not in markdown(full).decode()


def test_text_of_a_study_is_escaped(studies: Studies) -> None:
    one, *_ = studies["C2", "demo"]
    rows = [{**row, "reason": ATTACK} for row in one.contrasts]
    page = html({("C2", "demo"): [replace(one, contrasts=rows, root=ATTACK)]})
    checked(page)
    assert ATTACK.encode() not in page and escape(ATTACK).encode() in page


def test_a_slope_of_pairs_without_runs_has_no_curve() -> None:
    """Sizes of vectors can be compared by their pairs alone."""
    contrast = CONTRASTS["c5"][0]
    ends = [(contrast, purity(np.random.default_rng(2), contrast, dict.fromkeys(DIMENSIONS, 0.5)))]
    page = html({("C5", "photos"): [study("claims-photos-c5", [contrast], endpoints=ends)]}).decode()
    assert page.count("<svg") == 1 and "per doubling" in page


def curves(name: str) -> list[dict[str, list[tuple[float, float]]]]:
    """By label, the points of each curve of a study without effects, figure by figure."""
    made = drawn(np.random.default_rng(4), RUNS[name], lambda _: START)
    claim = next(claim for claim in CLAIMS if claim.name == name.partition("-")[0].upper())
    found = []
    for figure in _curves(claim, study(f"claims-demo-{name}", CONTRASTS[name], RUNS[name], made)):
        points: dict[str, list[tuple[float, float]]] = {}
        for label, x, y, *_ in figure.rows:
            points.setdefault(str(label), []).append((float(x or 0), float(y or 0)))
        found.append(points)
    return found


def test_arms_at_the_same_place_of_a_line_are_one_point() -> None:
    """Of cells of precision and coverage, three are at each precision."""
    figures = curves("c3-cells")
    assert len(figures) == 2
    for figure in figures:
        x = [x for x, _ in figure["language pairs"]]
        assert len(x) == 3 and x == sorted(set(x))


def test_level_lines_are_of_arms_that_were_trained_as_long_or_not_at_all() -> None:
    full, short = curves("c3")
    assert set(full) == set(short) == {"language pairs", "self, simclr", "none, untrained"}
    assert full["self, simclr"] != short["self, simclr"]


def test_the_command_on_photos_names_their_folder(studies: Studies) -> None:
    found = {(claim, "photos"): of for (claim, _), of in studies.items()}
    for page in (html(found), markdown(found)):
        assert page.count(b"--scale photos --photos FOLDER") == len(found) == page.count(b"--scale photos")


def test_a_study_is_read_as_its_summary_has_it(tmp_path: Path, studies: Studies) -> None:
    made, *_ = studies["C3", "demo"]
    found = read(write(made, tmp_path))
    assert found is not None and read(tmp_path / "none") is None
    assert found.name == made.name and found.commit == made.commit and len(found.root) == 64
    claim = next(claim for claim in CLAIMS if claim.name == "C3")
    assert sentence(claim, "demo", [found]) == sentence(claim, "demo", [made])
    same = replace(found, root=made.root, folder=made.folder, smallest_effect=made.smallest_effect)
    assert html({("C3", "demo"): [same]}) == html({("C3", "demo"): [made]})


PAIR = {"name": "a - b", "minuend": "a", "subtrahend": "b"}


@pytest.mark.parametrize(
    "damage",
    [
        {"settings": []},
        {"settings": {"contrasts": [{}]}},
        {"settings": {"contrasts": [{**PAIR, "test": "equivalence", "margin": "x"}]}},
        {"settings": {"contrasts": [{**PAIR, "terms": 3}]}},
        {"git": "x"},
    ],
)
def test_a_run_record_of_other_types_is_named(tmp_path: Path, studies: Studies, damage: dict[str, object]) -> None:
    folder = write(studies["C2", "demo"][0], tmp_path)
    (folder / "summary/summary.run.json").write_bytes(pretty({"settings": {}, **damage}))
    with pytest.raises(PipelineError, match=r"damaged run record in .*summary\.run\.json"):
        read(folder)


def test_trainings_are_counted_in_hours_of_those_that_there_are(tmp_path: Path, studies: Studies) -> None:
    made, *_ = studies["C2", "demo"]
    folder = write(made, tmp_path)
    (folder / "pretrain").mkdir()
    manifest = {"schema": 1, "stage": "pretrain", "files": {}, "rows": {}}
    for run, method in (("a", "simclr"), ("b", "untrained")):
        record = {"figures": {"work_seconds": 7200}, "settings": {"processes": 1, "method": method}}
        (folder / f"pretrain/{run}.manifest.json").write_bytes(pretty(manifest | {"unit": {"run": run}}))
        (folder / f"pretrain/{run}.run.json").write_bytes(pretty(record | {"environment": {"device": "cpu"}}))
    rows = [{**row, "half_without_seeds": 0.0, "detectable": 0.1, "n": 3} for row in made.contrasts]
    page = html({("C2", "demo"): [replace(made, folder=folder, contrasts=rows)]}).decode()
    assert "with 12 seeds, 18 more trainings (36 core hours)" in page
