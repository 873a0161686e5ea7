from workflow_scripts.commands.main import COMMANDS
from workflow_scripts.commands.reference import page


def test_every_command_has_a_section() -> None:
    text = page()
    assert all(f"\n## `faithful-pairs {name}`\n```text\nUsage: faithful-pairs {name} " in text for name in COMMANDS)
