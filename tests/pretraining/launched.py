"""A run in a process of its own: ``python -m tests.pretraining.launched FOLDER SETTINGS-AS-JSON``."""

import json
import logging
import sys
from pathlib import Path

from workflow_scripts.pretraining.distributed.interrupt import Interrupt


def main(folder: str, changed: str) -> None:
    """Launch the run over small images, as the stage does."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    with Interrupt() as interrupt:
        from tests.pretraining.shapes import plan
        from workflow_scripts.pretraining.distributed.launch import launch

        launch(plan(Path(folder), **json.loads(changed)), interrupt)


if __name__ == "__main__":
    main(*sys.argv[1:])
