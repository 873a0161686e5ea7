"""Cards of exported networks list the images that were removed later."""

import hashlib
import json
import shutil

import pytest

from workflow_scripts.acquisition.annotations.removal_tokens import id_token, url_token
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.copies import NetworkRecord, record_network
from workflow_scripts.export.folder import (
    CARD,
    REMOVED,
    fault_of,
    note_removed,
    removed_section,
    replace_folder,
    unlisted,
)
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.removal.shown import networks_of

SHA = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def folder(tmp_path):
    def write(part):
        (part / WEIGHTS).write_bytes(b"weights")
        (part / CARD).write_text(f"# A\n\n{removed_section({})}\n\n## Next\n")

    replace_folder(tmp_path / "exported", write)
    return tmp_path / "exported"


def test_removed_images_are_added_once_by_day(folder):
    assert "No image that it learned from" in (folder / CARD).read_text()
    assert note_removed(folder, SHA, ["b", "a"], "2026-01-01") == 2
    assert note_removed(folder, SHA, ["a", "c"], "2026-02-01") == 1
    assert note_removed(folder, SHA, ["a", "c"], "2026-03-01") == 0
    card = (folder / CARD).read_text()
    assert "learned from and that were removed from its study later: 3\n" in card
    assert "- 2026-01-01 (2): `a`, `b`\n- 2026-02-01 (1): `c`\n" in card
    assert card.startswith("# A\n")
    assert card.endswith("## Next\n")
    assert json.loads((folder / REMOVED).read_bytes()) == {"a": "2026-01-01", "b": "2026-01-01", "c": "2026-02-01"}
    assert fault_of(folder) is None


def test_a_card_shows_some_of_many_keys(folder):
    note_removed(folder, SHA, [f"k{i:03}" for i in range(150)], "2026-01-01")
    card = (folder / CARD).read_text()
    assert "(150): `k000`" in card
    assert "`k099` and others, all of which are in `removed.json`" in card
    assert "k100" not in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / CARD).write_text("mine"), "README.md was changed"),
        (lambda folder: folder.rename(folder.with_name("elsewhere")), "it is not there"),
    ],
)
def test_an_edited_or_moved_folder_is_left_to_people(folder, change, said):
    change(folder)
    with pytest.raises(PipelineError, match=f"network that can't be marked in .*: {said}"):
        note_removed(folder, SHA, ["a"], "2026-01-01")


@pytest.mark.parametrize(
    ("damaged", "said"), [("[]", "can't be read: not a JSON object"), ('{"z": 3}', "has values that are not days")]
)
def test_a_list_that_can_not_be_read_is_never_replaced(folder, damaged, said):
    def write(part):
        shutil.copytree(folder, part, dirs_exist_ok=True)
        (part / REMOVED).write_text(damaged)

    replace_folder(folder, write)
    with pytest.raises(PipelineError, match=rf"can't be marked in .*: removed\.json {said}"):
        note_removed(folder, SHA, ["a"], "2026-01-01")
    assert (folder / REMOVED).read_text() == damaged


def test_another_network_in_the_folder_is_not_marked(folder):
    with pytest.raises(PipelineError, match="it holds another network now"):
        note_removed(folder, "0" * 64, ["a"], "2026-01-01")
    assert "No image" in (folder / CARD).read_text()


def test_networks_are_found_by_id_tokens(tmp_path):
    for study, name, keys in (("one", "x", ["a", "b", "c"]), ("two", "y", ["d"])):
        record_network(tmp_path / study, NetworkRecord(tmp_path / "out" / name, name * 64, keys))
    (tmp_path / "two/copies/bad.parquet").write_bytes(b"PAR1")
    ids = {id_token("a"), id_token("b"), url_token("d")}
    found, unread = networks_of(tmp_path, ids, {})
    assert [(one.folder, one.weights, one.keys) for one in found] == [(tmp_path / "out/x", "x" * 64, ["a", "b"])]
    assert len(unread) == 1
    assert unread[0].startswith(f"{tmp_path / 'two/copies/bad.parquet'}: ")
    noted = {"one/copies/gone.parquet": ("/out/z", "z" * 64, [id_token("a"), id_token("q")])}
    missing = networks_of(tmp_path, ids, noted)[0][-1]
    assert (str(missing.folder), missing.keys, missing.ids) == ("/out/z", [], [id_token("a")])


def test_a_card_without_a_record_is_compared_by_tokens(folder):
    ids = [id_token("a"), id_token("b")]
    assert unlisted(folder, SHA, ids) == 2
    note_removed(folder, SHA, ["a"], "2026-01-01")
    assert unlisted(folder, SHA, ids) == 1
    assert unlisted(folder, "0" * 64, ids) == 0
    assert unlisted(folder / "not there", SHA, ids) == 0


def test_a_link_to_an_exported_folder_is_not_replaced(folder):
    link = folder.with_name("latest")
    link.symlink_to(folder)
    with pytest.raises(PipelineError, match="it is a link"):
        note_removed(link, SHA, ["a"], "2026-01-01")
    assert link.is_symlink() and not list(folder.parent.glob(".*"))
