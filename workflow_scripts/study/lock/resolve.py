"""Asks the hub for the commits of models, and fetches the URLs whose sha256 the config leaves out."""

from typing import TYPE_CHECKING

from workflow_scripts.acquisition.http.fetch_file import fetch_sha256
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.sources import HUB
from workflow_scripts.stages.source import Source
from workflow_scripts.study.config.errors import Path, SettingError, placed
from workflow_scripts.study.config.files import Node
from workflow_scripts.study.lock.file import Lock, is_commit
from workflow_scripts.study.lock.pin import sources_in

if TYPE_CHECKING:
    from workflow_scripts.study.config.study import Study

TIMEOUT = 30.0  # seconds that the hub may take to answer


def resolve(study: "Study", root: Node) -> Lock:
    """The lock of a study, as the hub and the URLs are now; a commit or sha256 in the config is taken as it is.

    Args:
        root: the config, for the places of errors.

    Raises:
        PipelineErrors: sources can't be reached, or the config has two sha256 for one URL. All are named.
    """
    wanted: dict[str, tuple[Path, Source]] = {}
    errors: list[PipelineError] = []
    for path, source in sources_in(study):
        if not source.is_url and not source.at.startswith(HUB):
            continue
        _, other = wanted.get(source.at, (path, source))
        if other.sha256 is not None and source.sha256 not in (None, other.sha256):
            value = f"{source.sha256}, and {other.sha256} elsewhere"
            errors.append(SettingError("two sha256 for one URL", path, value, "correct one of them"))
        if source.at not in wanted or other.sha256 is None:
            wanted[source.at] = path, source
    found: dict[str, str] = {}
    for at, (path, source) in wanted.items():
        try:
            found[at] = _commit(at) if at.startswith(HUB) else _sha256(source)
        except PipelineError as error:
            errors.append(SettingError(error.what, path, error.value, error.advice))
    if errors:
        raise placed(PipelineErrors(errors), root)
    hub = {at.removeprefix(HUB): commit for at, commit in found.items() if at.startswith(HUB)}
    return Lock(hub=hub, urls={at: sha256 for at, sha256 in found.items() if not at.startswith(HUB)})


def _commit(at: str) -> str:
    from huggingface_hub import HfApi

    repository, _, revision = at.removeprefix(HUB).partition("@")
    if is_commit(revision):
        return revision
    try:
        commit = HfApi().model_info(repository, revision=revision or None, timeout=TIMEOUT).sha
    except Exception as error:  # the hub's client, its HTTP library and a server's wrong answer raise many classes
        advice = "check its name, its revision and the network (a private model needs HF_TOKEN)"
        raise PipelineError("hub model unavailable", at, f"{at}: {type(error).__name__}", advice) from error
    if commit is None or not is_commit(commit):
        raise PipelineError("no commit of a hub model", at, f"{at}: {commit}", "check HF_ENDPOINT")
    return commit


def _sha256(source: Source) -> str:
    return source.sha256 or fetch_sha256((source.at, *source.mirrors))
