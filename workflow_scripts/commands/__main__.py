"""Starts the command line: as the console script ``faithful-pairs``, or by ``python -m workflow_scripts.commands``."""

import signal


def run() -> int:
    """Run the command line of this process; returns its exit status."""
    # While modules are loading there is nothing to clean up: Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from workflow_scripts.commands.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return main()


if __name__ == "__main__":
    raise SystemExit(run())
