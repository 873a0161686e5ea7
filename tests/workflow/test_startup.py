"""Whatever is wrong at the start ends in the project's error on the last line, without a traceback."""

import os
import signal

import pytest

from tests.workflow.checkout import CONFIG, Checkout, give_to_user
from tests.workflow.dag import MEASURED, idle_bytes, peak_of

pytestmark = pytest.mark.slow
DRY = ("-n", "--quiet", "all", *CONFIG)
MEMORY = 250 << 20  # bytes beyond those of a Snakemake that plans nothing


def said(checkout: Checkout, *words: str) -> list[str]:
    """The lines printed by a dry run that fails."""
    status, printed = checkout.run(*DRY, *words)
    assert status == 1, printed[-2000:]
    assert "Traceback" not in printed and 'File "' not in printed
    return printed.splitlines()


def test_an_unreadable_config_file_is_a_plain_error(cold: Checkout) -> None:
    aliases = ["a0: &a0 {x: 1, y: 2}"]
    for n in range(1, 12):
        aliases.append(f"a{n}: &a{n} {{{', '.join(f'k{m}: *a{n - 1}' for m in range(9))}}}")
    (cold.folder / "nested.yaml").write_text("\n".join(aliases))
    cold.snakemake = (*MEASURED, *cold.snakemake)
    *_, last, peak = said(cold, "nested.yaml")
    assert last.startswith("error: too many values in nested.yaml:7: ")
    assert peak_of(peak)[1] - idle_bytes() < MEMORY


def test_mistakes_in_all_config_files_are_plain_errors(fresh: Checkout) -> None:
    (fresh.folder / "over.yaml").write_text(
        "pairs:\n- {name: p, arm: revisde, encoder: minilm}\nbootstrap: 100\nbootstrap: 200\n"
    )
    assert said(fresh, "data_card")[-1] == (
        "error: missing config file in data_card: no such file; "
        "correct the path; put targets before --configfile, which takes all arguments after it"
    )
    printed = said(fresh, "over.yaml", "--config", "probe_dataset=concpet")
    assert [line.split(";")[0] for line in printed if line.startswith("error: ")] == [
        "error: repeated key in over.yaml:4: 'bootstrap', first on line 3",
        "error: unknown arm in over.yaml:2 (pairs.0.arm): revisde",
        "error: unknown pair table in tests/config/tiny.yaml:61 (runs.0.pairs): revised",
        "error: unknown pair table in tests/config/tiny.yaml:62 (runs.1.pairs): visual",
        "error: unknown dataset in --config (probe_dataset): concpet",
    ]


def test_another_working_folder_is_an_error_and_a_nameless_user_is_not(
    cold: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cold.folder / "elsewhere").mkdir()
    give_to_user(cold.folder / "elsewhere")
    line = said(cold, "--directory", "elsewhere")[-1]
    assert line.startswith(f"error: another working folder in {cold.folder}/elsewhere: it has no config.yaml, since ")
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tests.workflow.checkout.NOBODY", 54_321)
    give_to_user(cold.folder)
    cold.finish(*DRY)


def test_unusable_results_and_state_folders_are_an_error(fresh: Checkout) -> None:
    (fresh.folder / "results").rmdir()
    (fresh.folder / "results").write_text("no folder")
    assert said(fresh)[-1].startswith("error: no results folder in results: a file; ")
    (fresh.folder / "results").unlink()
    (fresh.folder / "results").symlink_to("unmounted")
    assert said(fresh)[-1].startswith("error: no results folder in results: a link to unmounted, not to a folder; ")
    (fresh.folder / "results").unlink()
    if (fresh.folder / ".snakemake").exists():
        (fresh.folder / ".snakemake").rename(fresh.folder / "state")
    fresh.folder.chmod(0o555)
    if os.getuid() == 0:
        os.chown(fresh.folder, 0, 0)
    assert said(fresh)[-1].startswith(f"error: no write permission in {fresh.folder}: user ")


def test_ctrl_c_during_startup_ends_in_a_plain_error(fresh: Checkout) -> None:
    """The signal comes from the Snakefile itself, so that it always comes in start-up."""
    with open(fresh.folder / "Snakefile", "a") as file:
        file.write(f"\nimport signal\n\nos.kill(os.getpid(), {int(signal.SIGINT)})\n")
    status, printed = fresh.run(*DRY)
    assert status == -signal.SIGINT and "Traceback" not in printed, printed
    last = printed.splitlines()[-1]
    assert last == "error: interrupted in Snakemake: Ctrl-C; run the same command again to continue"


def test_an_unwritable_home_folder_is_an_error(fresh: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "environment", lambda: {**os.environ, "HOME": "/proc/x", "XDG_CACHE_HOME": ""})
    line = said(fresh)[-1]
    assert line.startswith("error: no cache folder in /proc/x/.cache/snakemake/snakemake/source-cache: No such file")
    assert line.endswith("; set XDG_CACHE_HOME to a writable folder")
