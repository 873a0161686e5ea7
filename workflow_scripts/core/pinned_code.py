"""The code of a process: each file of the package as the process first read it, whatever happens to it later.

A job imports modules while it works, hours after its key was computed. Modules are therefore loaded, and the code
digest is computed, from the same bytes: whichever of the two reads a file first, and also if the file is edited,
removed or added afterwards. Processes that a job starts get the bytes from it (:func:`handed_on`).

Compiled code is used only if it was made from these bytes. Python's own check, by size and time, accepts that of an
edit within the same second. It is written in a form that other loaders check by content too (PEP 552).
"""

import hashlib
import json
import linecache
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = __name__.partition(".")[0]
ROOT = str(Path(__file__).resolve().parents[2])
INIT = "__init__.py"
CHECKED = (0b11).to_bytes(4, "little")  # flags of compiled code that is checked by a hash of its source
HANDED_ON = "FAITHFUL_PAIRS_CODE"  # sha256 and path of a file with the code of the process that started this one
_sources: dict[str, bytes | None] = {}  # by path; None: there is no such file
_members: dict[str, tuple[str, list[str]]] = {}  # module -> the package that it lists, what is in it


def source(path: str) -> bytes | None:
    """The content of a file as this process first read it; None if the file was missing then."""
    if path not in _sources:
        content = None
        with suppress(FileNotFoundError, NotADirectoryError), open(path, "rb") as stream:
            content = stream.read()
        _sources.setdefault(path, content)
    return _sources[path]


def module_file(root: str, name: str) -> str | None:
    """The file of a module, or the ``__init__.py`` of a package; None if there is neither."""
    path = os.path.join(root, *name.split("."))
    return next((file for file in (os.path.join(path, INIT), f"{path}.py") if source(file) is not None), None)


def pin_members(registry: str, package: str, members: list[str]) -> None:
    """Check that a module that imports all members of a package finds these, or found them if it is already loaded.

    Raises:
        PipelineError: it found others.
    """
    _members[registry] = package, members
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    if registry in sys.modules or (main is not None and main.name == registry):
        _check_members(registry)


def _check_members(registry: str) -> None:
    package, members = _members[registry]
    loaded = {name.removeprefix(f"{package}.") for name in sys.modules if name.startswith(f"{package}.")}
    found = {name for name in loaded if "." not in name}
    if found != set(members):
        folder = os.path.join(ROOT, *package.split("."))
        raise code_changed(folder, f"{', '.join(sorted(found ^ set(members)))} added or removed")


def code_changed(where: str, value: str) -> Exception:
    """The error of a job whose code is no longer, or never was, that of its key."""
    from workflow_scripts.core.errors import PipelineError

    return PipelineError("code changed during the job", where, value, "run the same command again")


@contextmanager
def handed_on() -> Iterator[None]:
    """Have the Python processes that start on this machine during the block load the code that this one has."""
    if HANDED_ON in os.environ:  # by another job of this process
        yield
        return
    content, sha256 = _everything(len(_sources), len(_members))
    with open(os.memfd_create("code"), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.environ[HANDED_ON] = f"{sha256} /proc/{os.getpid()}/fd/{stream.fileno()}"
        try:
            yield
        finally:
            del os.environ[HANDED_ON]


def handed_to_machines(folder: Path) -> dict[str, str]:
    """The environment in which Python processes of any machine that has ``folder`` load the code of this one."""
    from workflow_scripts.core.files.durable import write_atomic

    (content, sha256), path = _everything(len(_sources), len(_members)), folder.absolute() / ".code.json"
    write_atomic(path, content)
    return {HANDED_ON: f"{sha256} {path}"}


@lru_cache(maxsize=1)
def _everything(files: int, registries: int) -> tuple[bytes, str]:
    """The pinned code as JSON, and its sha256; the arguments count what is pinned, and key the cached result."""
    sources = {os.path.relpath(path, ROOT): content for path, content in list(_sources.items())}
    texts = {name: None if content is None else content.decode("latin-1") for name, content in sources.items()}
    content = json.dumps({"sources": texts, "members": _members}).encode()
    return content, hashlib.sha256(content).hexdigest()


def _take_over() -> None:
    """Pin what the process that started this one handed on, if it did."""
    sha256, _, path = os.environ.get(HANDED_ON, "").partition(" ")
    if not path:
        return
    with open(path, "rb") as stream:
        content = stream.read()
    if hashlib.sha256(content).hexdigest() != sha256:  # a group may share the folder
        raise code_changed(path, "not what the job has written")
    found = json.loads(content)
    for name, text in found["sources"].items():
        _sources[os.path.join(ROOT, name)] = None if text is None else text.encode("latin-1")
    _members.update(found["members"])


class _Loader(SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        if path == self.path:
            content = source(path)
            assert content is not None
            return content
        compiled = super().get_data(path)
        if not compiled.startswith(self._header()):
            raise OSError(f"{path} was not compiled from {self.path}")
        return compiled

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        super().set_data(path, self._header() + data[16:], _mode=_mode)

    def path_stats(self, path: str) -> dict[str, float]:
        return {"mtime": 0}  # of no meaning here, but without it no compiled code is looked for

    def get_code(self, fullname: str) -> CodeType | None:
        # Whoever asks for a module's text, as tracebacks and descriptions of settings do, gets it from these bytes too.
        lines = [line.decode() for line in self.get_data(self.path).splitlines(keepends=True)]
        linecache.cache[self.path] = len(lines), None, lines, self.path
        return super().get_code(fullname)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if module.__name__ in _members:
            _check_members(module.__name__)

    def _header(self) -> bytes:
        return MAGIC_NUMBER + CHECKED + source_hash(self.get_data(self.path))


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{PACKAGE}."):
            return None
        file = module_file(ROOT, fullname)
        if file is not None:
            return spec_from_loader(fullname, _Loader(fullname, file))
        added = PathFinder.find_spec(fullname, path, target)
        if added is not None and added.has_location:
            raise code_changed(str(added.origin), "it was added after it had been looked for")
        return None


_take_over()
# Before the one that would load our modules from disk; what measures coverage comes first and asks this one.
sys.meta_path.insert(sys.meta_path.index(PathFinder), _Finder())
