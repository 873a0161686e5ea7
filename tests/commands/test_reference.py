from workflow_scripts.commands.config import every_key
from workflow_scripts.commands.main import COMMANDS
from workflow_scripts.commands.reference import commands_page, config_page


def test_every_command_and_every_key_has_a_section() -> None:
    text = commands_page()
    assert all(f"\n## `faithful-pairs {name}`\n```text\nUsage: faithful-pairs {name} " in text for name in COMMANDS)
    text = config_page()
    assert all(f"\n## `{key}`\n```text\n{key}\n" in text for key in every_key())
