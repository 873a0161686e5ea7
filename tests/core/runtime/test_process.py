"""How a stage's process starts and ends."""

import platform
import subprocess
import sys

import pytest


def test_a_stage_process_loads_no_pandas_and_flushes_its_log_on_exit() -> None:
    code = (
        "import logging, sys\n"
        "from workflow_scripts.core.runtime import process\n"
        "process.start_process()\n"
        "import numpy, pyarrow\n"
        "pyarrow.array(numpy.arange(3)).to_numpy()\n"
        "print('pandas' in sys.modules)\n"
        "process.leave(7)\n"
        "print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n" and done.returncode == 7


def test_libraries_only_log_warnings_and_nothing_after_the_exit() -> None:
    code = (
        "import atexit, logging, os, sys\n"
        "from workflow_scripts.core.runtime import process\n"
        "logging.basicConfig(stream=sys.stderr, level=logging.INFO, format='%(message)s')\n"
        "process.quiet_libraries()\n"
        "atexit.register(print, 'nanobind: leaked 1 instances!', file=sys.stderr)\n"
        "logging.getLogger('faiss.loader').info('Loading faiss.')\n"
        "logging.getLogger('faiss.loader').warning('slow')\n"
        "logging.getLogger('workflow_scripts.x').info('ours')\n"
        "from transformers.utils.logging import is_progress_bar_enabled\n"
        "print(is_progress_bar_enabled())\n"
        "process.leave(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.splitlines(), done.returncode) == ("False\n", ["slow", "ours"], 1)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide for themselves")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    code = (
        "import ctypes, os, resource\n"
        "from workflow_scripts.core.runtime import process\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]\n"
        "libc.free.argtypes = [ctypes.c_void_p]\n"
        "def use(size):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    place = libc.malloc(size)\n"
        "    ctypes.memset(place, 1, size)\n"
        "    libc.free(place)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "if not (child := os.fork()):  # the parent's settings must be its own\n"
        "    os._exit(libc.mallopt(-3, 1 << 30))\n"
        "large = 64 << 20 if os.waitpid(child, 0)[1] else 16 << 20  # old versions keep no more than 32 MB\n"
        "use(64 << 20)\n"
        "print(use(64 << 20))\n"
        "process.keep_freed_memory()\n"
        "for size in (16 << 20, large):\n"
        "    use(size)\n"
        "    use(size)\n"
        "    print(use(size))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    given_back, *kept = map(int, done.stdout.split())
    assert max(kept) < 10 < given_back
