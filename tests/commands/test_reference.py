from workflow_scripts.commands.main import COMMANDS
from workflow_scripts.commands.reference import PAGE, page


def test_the_page_is_what_the_commands_print() -> None:
    assert PAGE.read_text() == page(), "run: make docs"


def test_every_command_has_a_section() -> None:
    text = page()
    assert all(f"\n## `faithful-pairs {name}`\n```text\nUsage: faithful-pairs {name} " in text for name in COMMANDS)
