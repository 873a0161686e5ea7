"""The whole page from made-up artifacts: safe, self-contained, complete, the same bytes each time."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import make_artifact, run
from tests.reporting.fake_data import ATTACK, Inputs
from tests.reporting.fake_study import DATASETS, RUNS, make_study
from workflow_scripts.commands.main import main as command
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.digest import ROOT, code_parts
from workflow_scripts.reporting.page import TEMPLATES, speed_page
from workflow_scripts.reporting.references import BIB
from workflow_scripts.reporting.sections.contents import CONTENTS
from workflow_scripts.stages.report import FACTS, INPUTS, STAGE

SETTINGS = {"study": "made <up>"}


@pytest.fixture(scope="module", autouse=True)
def many_captions() -> Iterator[None]:
    """Pages with all captions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workflow_scripts.reporting.sections.captions.EACH", 40)
        yield


class Page(HTMLParser):
    """Tags, ids, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.ids = {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def build(results: Path, inputs: Inputs, drawn: bool = False, files: bool = False) -> str:
    """The page; ``drawn``: with its figures, ``files``: and their files, which both take long."""
    with pytest.MonkeyPatch.context() as patch:
        if not drawn:
            patch.setattr("workflow_scripts.reporting.figures.Figure.inline", "")
        if not files:
            patch.setattr("workflow_scripts.reporting.page.files", lambda _: {})
        return run(STAGE, results, "report/index", SETTINGS, inputs).path(".html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inputs, str]:
    results = tmp_path_factory.mktemp("report") / "results"
    inputs = make_study(results, {0: ATTACK, 5: "by @some.body and /u/xyz-1, mail me@mail.org"})
    return results, inputs, build(results, inputs, drawn=True, files=True)


def test_inputs_are_those_of_the_study(made: tuple[Path, Inputs, str]) -> None:
    assert set(made[1]) == {*INPUTS, "scores"}


def test_captions_without_an_itm_have_the_scores_of_judges(made: tuple[Path, Inputs, str], tmp_path: Path) -> None:
    def shuffled(page: str) -> list[str]:
        section = page.partition('<section id="captions">')[2].partition("</section>")[0]
        lines = re.findall(r'<div class="who">(.*?)</div>', section)
        return [re.sub("<[^>]*>", " ", line).replace("\n", " ") for line in lines if "arm-shuffled" in line]

    lines = shuffled(made[2])
    assert len(lines) > 10 and not any("ITM" in line or "not scored" in line for line in lines)
    assert {" ".join(line.split()) for line in lines} == {
        "shuffled clip cosine 0.250 (1.500) shuffled",
        "shuffled clip cosine 0.250 shuffled",
    }
    assert "score_captions/shuffled.clip.00001-00001.parquet" in made[2]
    assert "A sample of 40 images that every judge scored" in made[2]
    inputs = {name: paths for name, paths in made[1].items() if name != "scores"}
    assert {" ".join(line.split()) for line in shuffled(build(tmp_path / "results", inputs))} == {
        "shuffled not scored shuffled"
    }


def test_the_page_says_what_seeds_vary(made: tuple[Path, Inputs, str]) -> None:
    assert "Captions and pair tables are drawn once: seeds vary the training only." in made[2]


def test_captions_of_kept_and_lost_rows_are_compared(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition("Are the kept rows like the lost ones?")[2].partition("</table>")[0]
    cells = re.sub("<[^>]*>", " ", section.partition("<tbody>")[2]).split()
    assert [cell for cell in cells if cell in ("short", "52.0", "41.0", "11.0")] == ["short", "52.0", "41.0", "11.0"]
    assert section.count("[1.0, 21.0]") == 1


def test_the_results_say_what_the_pairs_have_in_common(made: tuple[Path, Inputs, str], tmp_path: Path) -> None:
    def results(page: str) -> str:
        section = page.partition('<section id="runs">')[2].partition("</section>")[0]
        return " ".join(re.sub("<[^>]*>", " ", section).split())

    found = results(made[2])
    assert "revised 95.0 [92.5, 97.5] 7.5 [2.5, 12.5] 17.5 [15.0, 20.0]" in found
    assert "visual — 7.5" in found and "synthetic" not in made[2]
    inputs = make_study(tmp_path / "results")
    inputs |= {"world": [make_artifact(tmp_path / "results", "demo_world", "world", {".truth.parquet": b"x"})]}
    built_in = "The images of this study are synthetic, and the effect is built in"
    assert built_in in build(tmp_path / "results", inputs)


def test_accuracies_at_the_common_cost_stand_beside_those_at_the_chosen_one(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition('<section id="accuracy">')[2].partition("</table>")[0]
    assert section.index("concept (accuracy)") < section.index("concept at C = 1 (accuracy)") and "43.2" in section


def test_maps_are_called_better_by_rule_alone(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition("<h3>Which maps are better?</h3>")[2].partition("<h3>")[0]
    assert "not shown: " in section and section.count("the maps of ") == 1
    assert "runs that beat the centre Gaussian" in section and "are better (exploratory)" in section


def test_choices_of_judges_are_shown_with_their_intervals(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition("<h3>Choices of judges</h3>")[2].partition("</section>")[0]
    for figure in ("raw, flips at margin 0.5", "replaced by style"):
        assert f"<th>clip, cosine, {figure}</th>" in section
    assert "0.310" in section and "[0.290, 0.330]" in section and "Spearman" not in section


def test_ratings_by_people_are_shown_with_their_intervals(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition('<section id="caption-labels">')[2].partition("</section>")[0]
    assert "<th>ITM, AUC</th>" in section
    assert "0.830" in section and "[0.750, 0.900]" in section
    assert "agreement, faithful, alpha" in section and "0.710" in section


def test_a_caption_with_markup_is_text(made: tuple[Path, Inputs, str]) -> None:
    page = Page(made[2])
    assert ATTACK in "".join(page.words)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any(attributes.get("src") == "x" for _, attributes in page.tags)
    assert "made <up>" in "".join(page.words)


def test_user_names_are_masked_in_the_report(made: tuple[Path, Inputs, str]) -> None:
    assert not re.search(r"some\.body|xyz-1|me@mail|somebody", made[2])
    assert "by @… and /u/…, mail …@…" in made[2]


def test_the_report_shows_the_training_images_of_each_run(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition('id="training"')[2].partition("</section>")[0]
    (table,) = re.findall(r"<table>(.*?)</table>", section, re.DOTALL)
    lines = [re.sub(r"<[^>]+>", " ", line).split() for line in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    shown = {line[0]: " ".join(line[1:]) for line in lines}
    assert shown["simclr-original-crop-resnet_small-s0"] == "36 no pair 1 , not common 3 — —"
    assert shown["simclr-revised-crop-resnet_small-s0"] == "37 not common 3 2 5"
    assert shown["simclr-self-simclr-resnet_small-s0"] == "37 not common 3 — —"
    assert not any(name.startswith("untrained") for name in shown)
    assert "images that are sources of pairs in all runs" in made[2]


def test_the_report_loads_no_external_resources(made: tuple[Path, Inputs, str]) -> None:
    page = Page(made[2])
    assert not {"script", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:", "index/", "../")), attributes
        assert "style" not in attributes  # the policy would refuse it
    assert "url(" not in made[2] and "@import" not in made[2]


def test_the_content_security_policy_allows_only_the_embedded_style_sheet(made: tuple[Path, Inputs, str]) -> None:
    policy = next(a["content"] for t, a in Page(made[2]).tags if a.get("http-equiv") == "Content-Security-Policy")
    style = re.findall(r"<style>(.*?)</style>", made[2], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert len(style) == 1
    assert policy is not None and f"style-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_every_section_is_there_and_every_link_leads_somewhere(made: tuple[Path, Inputs, str]) -> None:
    page = Page(made[2])
    assert {anchor for anchor, *_ in CONTENTS} - page.ids == {"sweeps"}
    links = {a.get("href") or "" for t, a in page.tags if t == "a"}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= page.ids
    charts = {link for link in links if link.endswith(".png")}
    beside = {link for link in links if not link.startswith("#")} - charts
    assert len(charts) == 9
    written = Artifact(made[0] / "study/report/index.manifest.json").suffixes
    assert beside == {f"index{suffix}" for suffix in written if suffix.startswith("/")}
    assert len({link.rpartition(".")[2] for link in beside}) == 5
    assert all((made[0] / "study/report" / link).is_file() for link in beside | charts)


def test_every_file_beside_the_page_is_declared_for_the_crate(made: tuple[Path, Inputs, str]) -> None:
    for suffix in Artifact(made[0] / "study/report/index.manifest.json").suffixes:
        file = FACTS.file(suffix)
        assert file is not None and file.published == "always" and file.hashed


def test_ids_are_unique_and_the_page_is_small(made: tuple[Path, Inputs, str]) -> None:
    ids = [a["id"] for _, a in Page(made[2]).tags if "id" in a]
    assert len(ids) == len(set(ids)) and len(made[2].encode()) < 1_600_000


def test_feature_statistics_are_shown_unscaled(made: tuple[Path, Inputs, str]) -> None:
    assert all(text in made[2] for text in ("Statistics of the features", ">17.2<", ">−1.500<"))


def test_leaked_images_are_shown_with_the_accuracies_without_them(made: tuple[Path, Inputs, str]) -> None:
    section = made[2].partition('<section id="leakage">')[2].partition("</section>")[0]
    assert section.count("data:image/webp") == 2
    assert "stored image cropped, mirrored: by hash, by vectors" in section
    assert "hash distance 47 bits" in section and "pixel correlation 0.94, cosine 0.90" in section
    assert "the test image found, and its closest stored image" in section
    assert "<code>clip</code> (cosine of at least 0.8)" in section and "were not compared" not in section
    assert "&lt;b&gt;test &amp; co&lt;/b&gt;" in section and "<b>test" not in section
    table = (made[0] / "study/report/index/table-leaked.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + len(RUNS) * len(DATASETS) and all(line.endswith(",43.2") for line in table[1:])


def test_numbers_name_the_file_they_are_from(made: tuple[Path, Inputs, str]) -> None:
    titles = [a.get("title") or "" for t, a in Page(made[2]).tags if a.get("class") == "num"]
    assert len(titles) > 200 and all(re.match(r"[\w./-]+ · sha256 [0-9a-f]{10}…", title) for title in titles)
    folder = made[0] / "study"
    named = {title.partition(" ")[0] for title in titles}
    assert all((folder / name).is_file() for name in named)


def test_no_path_of_this_machine_is_in_the_page(made: tuple[Path, Inputs, str]) -> None:
    assert str(made[0]) not in made[2] and not re.search(r"(/home|/tmp|/root|/Users)/", made[2])


def test_wide_tables_are_in_scrollable_boxes(made: tuple[Path, Inputs, str]) -> None:
    assert made[2].count("<table") == made[2].count('<div class="scroll')


def test_the_same_study_in_another_folder_gives_the_same_report(made: tuple[Path, Inputs, str], tmp_path: Path) -> None:
    replaced = {0: ATTACK, 5: "by @some.body and /u/xyz-1, mail me@mail.org"}
    assert build(tmp_path / "results", make_study(tmp_path / "results", replaced), drawn=True) == made[2]


def test_sections_without_content_are_left_out(tmp_path: Path) -> None:
    text = build(tmp_path / "results", {})
    assert {anchor for anchor, *_ in CONTENTS} & Page(text).ids == {"provenance"}
    assert "trained and evaluated no image encoder" in text


@pytest.mark.parametrize("left_out", ["captions_table", "images", "summary", "saliency", "pairs", "runs", "arms"])
def test_any_input_may_be_missing(made: tuple[Path, Inputs, str], tmp_path: Path, left_out: str) -> None:
    page = Page(build(tmp_path / "results", {name: paths for name, paths in made[1].items() if name != left_out}))
    links = {attributes.get("href") or "" for tag, attributes in page.tags if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= page.ids
    assert len({anchor for anchor, *_ in CONTENTS} & page.ids) >= 8


def test_all_templates_are_in_the_code_digest() -> None:
    covered = {ROOT / name for name in code_parts("report") if "/" in name}
    assert covered == {BIB, *(path for path in TEMPLATES.rglob("*") if path.is_file())}


def test_the_command_prints_runs_contrasts_and_the_page(
    made: tuple[Path, Inputs, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["show", str(made[0] / "study")]) == 0
    text = capsys.readouterr().out
    assert "What was trained" in text and "revised − original" in text
    assert f"Report: {made[0] / 'study' / 'report' / 'index.html'}" in text


def test_the_speed_of_the_stages_is_on_a_separate_page(made: tuple[Path, Inputs, str]) -> None:
    results, inputs, page = made
    beside = (results / "study/report/index.speed.html").read_text(encoding="utf-8")
    assert "index.speed.html" in page and "images/s" in beside and "made &lt;up&gt;" in beside
    assert ".speed.html" not in Artifact(results / "study/report/index.manifest.json").suffixes
    stages = {Artifact(path).manifest["stage"] for paths in inputs.values() for path in np.atleast_1d(paths)}
    assert {stage for stage in stages if f"<th>{stage}</th>" in beside} == stages


def test_speed_figures_of_a_stage_are_aggregated() -> None:
    one = {"images": 10.0, "loop_seconds": 5.0, "wait_seconds": 1.0, "work_seconds": 9.0, "read_bytes": 2e6}
    text = speed_page("s", [("features", one), ("knn", {}), ("features", one | {"wait_seconds": 4.0})]).decode()
    cells = re.findall(r"<tr><th>(.*?)</th>(.*?)</tr>", text.partition("<tbody>")[2])
    assert [stage for stage, _ in cells] == ["features", "knn"]
    assert re.findall("<td>(.*?)</td>", cells[0][1]) == ["2", "20", "2", "50%", "–", "–", "4.0 MB", "18"]
    assert set(re.findall("<td>(.*?)</td>", cells[1][1])) == {"1", "–"}
