"""The configs of claims' studies have the contrasts of which the page speaks."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.claims.designs import CONTRASTS
from workflow_scripts.claims.catalogue import CLAIMS, SCALES
from workflow_scripts.claims.run import CONFIGS
from workflow_scripts.core.digest import ROOT
from workflow_scripts.evaluation.contrasts.settings import MOST_PRIMARY, Contrast
from workflow_scripts.reporting.crossing import LINES

FOLDERS = [ROOT / CONFIGS / scale for scale in SCALES if (ROOT / CONFIGS / scale).is_dir()]
NAMED = {(claim.name.lower(), part.contrast) for claim in CLAIMS for part in claim.parts}
OURS = {(study, contrast.name): contrast for study, contrasts in CONTRASTS.items() for contrast in contrasts}


def contrasts(folder: Path) -> dict[tuple[str, str], Contrast]:
    """By study and name, those of a scale."""
    return {
        (file.stem, one["name"]): Contrast.model_validate(one)
        for file in sorted(folder.glob("c*.yaml"))
        for one in yaml.safe_load(file.read_text()).get("contrasts", ())
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_page_speaks_of_each_primary_contrast(folder: Path) -> None:
    found = contrasts(folder)
    assert found
    for study in {study for study, _ in found}:
        primary = [name for (of, name), one in found.items() if of == study and one.primary]
        assert 1 <= len(primary) <= MOST_PRIMARY
        assert {(study.partition("-")[0], name) for name in primary} <= NAMED


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_contrasts_of_the_same_name_ask_the_same(folder: Path) -> None:
    """As the simulations of claims have them, whose pair tables have other names."""
    for (study, name), one in contrasts(folder).items():
        ours = OURS.get((study, name), one)
        assert (one.endpoint, one.test, one.expected) == (ours.endpoint, ours.test, ours.expected), name
        assert (one.primary, sorted(one.varies)) == (ours.primary, sorted(ours.varies)), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_lines_are_those_of_least_squares_over_the_doses(folder: Path) -> None:
    found = {name: one for (study, name), one in contrasts(folder).items() if study == "c3"}
    for suffix in ("", " (short)") if found else ():
        doses = {
            term.pairs: term.at or 0.0 for term in found[f"slope over the share of faithful captions{suffix}"].terms
        }
        design = np.column_stack([np.ones(len(doses)), list(doses.values())])
        for share, (_, name) in zip((0.0, 0.5, 1.0), LINES, strict=True):
            line = found[f"{name}{suffix}"]
            weights = {term.pairs: weight for weight, term in line.cells}
            expected = [1, share] @ np.linalg.inv(design.T @ design) @ design.T
            assert [weights.get(pairs, 0.0) for pairs in doses] == pytest.approx(expected)
            assert weights["self"] == pytest.approx(-1) and not line.primary and line.per == ()


@pytest.mark.skipif(len(FOLDERS) < len(SCALES), reason="a scale has no studies")
@pytest.mark.parametrize(("claim", "name"), sorted(NAMED))
def test_each_contrast_of_which_the_page_speaks_is_primary_in_some_study(claim: str, name: str) -> None:
    every = [of for folder in FOLDERS for of, one in contrasts(folder).items() if one.primary]
    assert any(study.partition("-")[0] == claim and own == name for study, own in every)
