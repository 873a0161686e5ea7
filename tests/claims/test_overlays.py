"""The configs of claims' studies have the contrasts of which the page speaks."""

import pytest
import yaml

from tests.claims.designs import CONTRASTS
from workflow_scripts.claims.catalogue import CLAIMS, SCALES
from workflow_scripts.claims.findings import LINES
from workflow_scripts.claims.run import CONFIGS
from workflow_scripts.core.digest import ROOT
from workflow_scripts.evaluation.contrasts.settings import MOST_PRIMARY, Contrast

FOLDERS = [ROOT / CONFIGS / scale for scale in SCALES if (ROOT / CONFIGS / scale).is_dir()]
NAMED = {part.contrast: claim.name.lower() for claim in CLAIMS for part in claim.parts}
OURS = {contrast.name: contrast for contrasts in CONTRASTS.values() for contrast in contrasts}


def contrasts(folder: object) -> dict[tuple[str, str], Contrast]:
    """By study and name, those of a scale."""
    return {
        (file.stem, one["name"]): Contrast.model_validate(one)
        for file in sorted(folder.glob("c*.yaml"))  # type: ignore[attr-defined]
        for one in yaml.safe_load(file.read_text()).get("contrasts", ())
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_page_speaks_of_each_primary_contrast(folder: object) -> None:
    found = contrasts(folder)
    assert found
    for study in {study for study, _ in found}:
        primary = [name for (of, name), one in found.items() if of == study and one.primary]
        assert 1 <= len(primary) <= MOST_PRIMARY
        assert {NAMED[name] for name in primary} == {study.partition("-")[0]}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_contrasts_of_the_same_name_ask_the_same(folder: object) -> None:
    """As the simulations of claims have them, whose pair tables have other names."""
    for (_, name), one in contrasts(folder).items():
        if name in OURS:
            ours = OURS[name]
            assert (one.endpoint, one.test, one.expected, one.primary) == (
                ours.endpoint, ours.test, ours.expected, ours.primary
            )  # fmt: skip
            assert sorted(one.varies) == sorted(ours.varies)
            if one.of_runs:
                weights, of_ours = (sorted(weight for weight, _ in each.cells if weight) for each in (one, ours))
                assert weights == pytest.approx(of_ours), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_study_of_doses_has_the_lines_of_its_crossing(folder: object) -> None:
    found = {name: one for (study, name), one in contrasts(folder).items() if study == "c3"}
    for suffix in ("", " (short)"):
        if f"slope over the share of faithful captions{suffix}" in found:
            lines = [found.get(f"{name}{suffix}") for _, name in LINES]
            assert all(line is None for line in lines) or all(line and not line.primary for line in lines)


@pytest.mark.skipif(len(FOLDERS) < len(SCALES), reason="a scale has no studies")
@pytest.mark.parametrize("name", NAMED)
def test_each_contrast_of_which_the_page_speaks_is_primary_in_some_study(name: str) -> None:
    assert any(one.primary for folder in FOLDERS for (_, own), one in contrasts(folder).items() if own == name)
