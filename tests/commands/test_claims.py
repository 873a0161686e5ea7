"""``faithful-pairs claims`` with made-up configs and studies: no Snakemake runs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.claims.designs import CONTRASTS, RUNS
from tests.claims.made_up import START, drawn, study, write
from workflow_scripts.claims import run
from workflow_scripts.claims.run import Planned
from workflow_scripts.commands.main import main
from workflow_scripts.core.digest import ROOT

STUDIES = {"demo": ("c1", "c2", "c2-captioner50", "c3", "c4", "c8"), "photos": ("c2", "c3"), "full": ("c2", "c4")}
Ran = list[tuple[str, str, tuple[str, ...]]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with configs of claims, in which the command runs."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    (tmp_path / "profiles/demo").mkdir(parents=True)
    (tmp_path / "profiles/demo/study.yaml").write_text("smallest_effect: 5.0\n")
    for scale, names in STUDIES.items():
        folder = tmp_path / run.CONFIGS / scale
        folder.mkdir(parents=True)
        if scale != "full":
            (folder / "base.yaml").write_text("standard_contrasts: false\n")
        for name in names:
            (folder / f"{name}.yaml").write_text(f"study: claims-{scale}-{name}\n")
    monkeypatch.chdir(tmp_path)
    for root in ("ROOT", "PROJECT"):
        monkeypatch.setattr(run, root, tmp_path)
    return tmp_path


@pytest.fixture
def ran(world: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """What has been run, with its profile and config files; a study of doses fails, and the others finish."""
    found: Ran = []

    def finishes(planned: Planned, profile: str) -> bool:
        name = planned.folder.name
        found.append((name, profile, tuple(map(str, planned.files))))
        own = planned.files[-1].stem.partition("-")[0]
        if own in ("c2", "c4") and not planned.folder.exists():
            made = drawn(np.random.default_rng(1), RUNS[own], lambda _: START)
            write(study(name, CONTRASTS[own], RUNS[own], made), planned.folder.parent)
        return own != "c3"

    monkeypatch.setattr(run, "run", finishes)
    return found


def claims(*words: str) -> int:
    return main(["claims", *words])


def test_claims_run_from_cheap_to_dear(ran: Ran) -> None:
    assert claims() == 1  # that of doses fails
    assert [name.removeprefix("claims-demo-") for name, *_ in ran] == ["c1", "c8", "c2", "c2-captioner50", "c4", "c3"]
    assert {profile for _, profile, _ in ran} == {"profiles/demo"}
    assert ran[2][2] == ("profiles/demo/study.yaml", "profiles/claims/demo/base.yaml", "profiles/claims/demo/c2.yaml")


def test_named_claims_alone_run_in_their_own_order(ran: Ran) -> None:
    assert claims("C4", "C2") == 0
    assert [name for name, *_ in ran] == ["claims-demo-c2", "claims-demo-c2-captioner50", "claims-demo-c4"]


def test_the_page_has_what_was_found(world: Path, ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert claims("C4", "--markdown", "evidence.md") == 0
    told = capsys.readouterr().out
    assert "C4: results/claims-demo-c4\n" in told and told.endswith("Page: results/claims/index.html\n")
    assert (
        "\nC4. Does language guidance overfit earlier than self-supervision?\nIn the demo's world, it is uncl" in told
    )
    page, text = ((world / file).read_text() for file in ("results/claims/index.html", "evidence.md"))
    assert page.count("No study of this claim has") == 7 and "claims-demo-c4" in page and "claims-demo-c4" in text


def test_a_second_call_keeps_the_page(world: Path, ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the study is computed again after the call has read it."""
    assert claims("C4") == 0
    before, finishes = (world / "results/claims/index.html").read_bytes(), run.run
    monkeypatch.setattr(run, "run", lambda study, profile: shutil.rmtree(study.folder) or finishes(study, profile))
    assert claims("C4") == 0 and (world / "results/claims/index.html").read_bytes() == before


def test_a_call_for_one_claim_keeps_the_others_on_the_page(world: Path, ran: Ran) -> None:
    assert claims("C2") == claims("C4") == 0
    page = (world / "results/claims/index.html").read_text()
    assert "claims-demo-c2-captioner50" in page and "claims-demo-c4" in page


def test_a_study_that_fails_is_named_and_the_others_are_on_the_page(
    world: Path, ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    assert claims("C3", "C2") == 1
    assert capsys.readouterr().err == (
        "error: these studies failed: claims-demo-c3; repeat the command to continue them\n"
    )
    assert "claims-demo-c2" in (world / "results/claims/index.html").read_text()


def test_an_unknown_claim_is_refused(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert claims("C2", "C9", "c11") != 0
    assert "no such claim" in (said := capsys.readouterr().err) and "C9, C11" in said
    assert not ran


def test_a_claim_without_a_study_at_a_scale_is_refused(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert claims("C1", "--scale", "full") != 0
    assert "no study of this claim" in capsys.readouterr().err and not ran


@pytest.mark.parametrize("words", [("--scale", "photos"), ("--photos", "."), ("--scale", "full", "--photos", ".")])
def test_photos_and_their_scale_belong_together(words: tuple[str, ...], ran: Ran) -> None:
    assert claims(*words) == 2 and not ran


def test_the_full_study_has_its_own_profile(ran: Ran) -> None:
    assert claims("--scale", "full") == 0
    assert [one[:2] for one in ran] == [(f"claims-full-{name}", "profiles/local") for name in ("c2", "c4")]
    assert ran[0][2] == ("profiles/claims/full/c2.yaml",)
    ran.clear()
    claims("C2", "--scale", "full", "--profile", "slurm")
    assert ran[0][1] == "slurm"


def python(path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Let a script be Python."""
    path.write_text(f"#!{run.sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setattr(run.sys, "executable", str(path))


@pytest.mark.parametrize(("code", "succeeded"), [(0, True), (1, False)])
def test_a_study_is_computed_by_snakemake(
    code: int, succeeded: bool, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python(world / "python", monkeypatch, f"open('words', 'w').write(' '.join(sys.argv[1:])); sys.exit({code})")
    (planned,) = run.planned(["C4"], "full")
    assert run.run(planned, "slurm") is succeeded
    words = "-m snakemake --profile slurm --configfile profiles/claims/full/c4.yaml"
    assert (world / "words").read_text() == words


def test_an_interrupted_snakemake_can_end_its_jobs(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = "os.kill(os.getppid(), signal.SIGINT); time.sleep(1); open('ended', 'w')"
    python(world / "python", monkeypatch, ends)
    with pytest.raises(KeyboardInterrupt):
        run.run(run.planned(["C4"], "full")[0], "slurm")
    assert (world / "ended").exists()


def test_another_working_folder_is_refused(
    world: Path, ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "elsewhere").mkdir()
    monkeypatch.chdir(world / "elsewhere")
    assert claims("C2") == 1 and not ran and not any((world / "elsewhere").iterdir())
    assert f"start this in {world}\n" in capsys.readouterr().err


def test_a_missing_folder_of_the_markdown_is_made_before_anything_runs(
    world: Path, ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    assert claims("C2", "--markdown", "pages/evidence.md") == 0
    assert "claims-demo-c2" in (world / "pages/evidence.md").read_text()
    (world / "file").write_text("")
    ran.clear()
    assert claims("C2", "--markdown", "file/evidence.md") == 1 and not ran
