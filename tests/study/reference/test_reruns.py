"""What an edit reruns is derived from the keys of jobs, and agrees with what Snakemake does."""

import re
from functools import cache

import pytest

from tests.workflow.test_matrix import EDITS
from workflow_scripts.stages import download, embed_captions, embed_images, pair_table, pretrain
from workflow_scripts.study.config.stages import stage_names
from workflow_scripts.study.reference.page import page
from workflow_scripts.study.reference.reruns import Reruns, stages_text

NEVER = {"compute.workers", "crate.in_all"}  # how jobs run, and which are requested


@cache
def rows() -> dict[str, list[str]]:
    """Every key of the reference, and the cells of its row."""
    section, found = "", {}
    for line in page(Reruns().text).splitlines():
        if heading := re.fullmatch(r"##+ (.*)", line):
            section = {"Top level": ""}.get(heading[1], f"{heading[1]}.")
        elif row := re.match(r"\| `(\w+)` \|", line):
            found[section + row[1]] = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
    return found


def written() -> dict[str, str]:
    """Key -> what its edit reruns, as the reference says."""
    return {key: cells[5] for key, cells in rows().items()}


def test_keys_that_rerun_nothing_are_those_outside_of_every_key() -> None:
    sections = {"download": download.STAGE, "pretraining": pretrain.STAGE}
    sections |= {"text_encoders": embed_captions.STAGE, "image_encoders": embed_images.STAGE, "pairs": pair_table.STAGE}
    outside = {f"{section}.{key}" for section, stage in sections.items() for key in stage.not_in_key}
    outside |= NEVER
    nothing = {key for key, stages in written().items() if stages == "*nothing*"}
    # A section outside of the key holds keys that are, too.
    assert {next((one for one in outside if f"{key}.".startswith(f"{one}.")), key) for key in nothing} == outside


def test_every_setting_lists_its_reruns_unless_a_mapping_or_fixed() -> None:
    for key, cells in rows().items():
        only_choice = cells[2] == cells[3]  # there is nothing to edit
        assert cells[5] or only_choice or cells[2].startswith("[mapping](#"), key


@pytest.mark.parametrize("stage", [stage for stage, edit in EDITS.items() if edit is not None])
def test_the_reference_agrees_with_the_runs_of_the_edit_matrix(stage: str) -> None:
    edit = EDITS[stage]
    assert edit is not None
    key = re.sub(r"\.\d+", "", edit[0])
    assert f"`{stage}`" in written()[key]


def test_edits_of_referenced_items_rerun_their_users() -> None:
    reruns = Reruns()
    assert reruns.stages(("pairs", "name"), ["more"]) == ["pair_quality", "pair_table", "report"]
    assert reruns.stages(("recaption", "matcher"), ["elsewhere"]) == ["caption_quality", "recaption", "source"]
    assert reruns.stages(("recaption", "batch_size"), [32]) == []  # it has that value already


def test_stages_are_listed_by_the_shorter_list() -> None:
    every = sorted(stage_names() - {"source", "download"})
    assert stages_text([]) == "*nothing*"
    assert stages_text(["pretrain", "summary"]) == "`pretrain`, `summary`"
    assert stages_text(every) == "all but `download`, `source`"
