"""How a stage's process starts and ends."""

import subprocess
import sys


def test_a_process_of_its_own_loads_no_pandas_and_leaves_with_its_log_written() -> None:
    code = (
        "import logging, sys\n"
        "from workflow_scripts.core.runtime import process\n"
        "process.start_quickly()\n"
        "import numpy, pyarrow\n"
        "pyarrow.array(numpy.arange(3)).to_numpy()\n"
        "print('pandas' in sys.modules)\n"
        "process.leave()\n"
        "print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
