"""An export only ever replaces another export, and is either complete or absent."""

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.export.folder import LISTING, check_target, fault_of, replace_folder


def fill(content):
    return lambda part: (part / "a.txt").write_text(content)


def test_a_new_an_empty_and_an_exported_folder_are_filled(tmp_path):
    target = tmp_path / "new" / "folder"
    for content in ("first", "second"):
        check_target(target)
        replace_folder(target, fill(content))
        assert fault_of(target) is None
        assert (target / "a.txt").read_text() == content
    (tmp_path / "empty").mkdir()
    check_target(tmp_path / "empty")
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "a.txt").write_text("edited"), "a.txt was changed"),
        (lambda folder: (folder / "a.txt").unlink(), "a.txt is missing"),
        (lambda folder: (folder / "mine.txt").touch(), "mine.txt is not part of an export"),
        (lambda folder: (folder / LISTING).unlink(), "no readable export.json"),
        (lambda folder: (folder / LISTING).write_text("[]"), "no readable export.json"),
    ],
)
def test_a_folder_that_is_not_a_complete_export_is_refused(tmp_path, damage, said):
    target = tmp_path / "folder"
    replace_folder(target, fill("x"))
    damage(target)
    with pytest.raises(PipelineError, match=f"folder in use in .*: not a complete earlier export: {said}"):
        check_target(target)


def test_files_and_links_are_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("file", "link"):
        with pytest.raises(PipelineError, match="not a folder"):
            check_target(tmp_path / name)


def test_a_failed_export_leaves_the_folder_unchanged(tmp_path):
    target = tmp_path / "folder"
    replace_folder(target, fill("before"))

    def fail(part):
        fill("after")(part)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_folder(target, fail)
    assert fault_of(target) is None
    assert (target / "a.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
