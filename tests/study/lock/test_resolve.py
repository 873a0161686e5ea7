"""What a lock records, asked of a hub and a server on this machine."""

import hashlib
from pathlib import Path

import pytest

from tests.study.lock.hub import NEW, OLD, TINY, Hub
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.lock import Lock, resolve
from workflow_scripts.study.config.study import checked_study

CSV = "/captions.csv"


def resolved(overlay: Path) -> Lock:
    """The lock of an overlay of the small study."""
    config = read_config(["config.yaml", TINY, overlay])
    return resolve(checked_study(config), config.root)


def faults(overlay: Path) -> list[str]:
    """The errors, each without the folder of the overlay."""
    with pytest.raises(PipelineError) as error:
        resolved(overlay)
    return [str(one).replace(f"{overlay.parent}/", "") for one in error.value.errors]


def test_models_and_urls_are_resolved(overlay: Path, hub: Hub) -> None:
    sha256 = hashlib.sha256(hub.files[CSV]).hexdigest()
    assert resolved(overlay) == Lock(hub={"someone/model@main": OLD}, urls={f"{hub.address}{CSV}": sha256})
    assert hub.asked == ["/api/models/someone/model/revision/main", CSV], "one request for each"
    hub.branches["main"] = NEW
    hub.files[CSV] = b"other"
    sha256 = hashlib.sha256(b"other").hexdigest()
    assert resolved(overlay) == Lock(hub={"someone/model@main": NEW}, urls={f"{hub.address}{CSV}": sha256})


@pytest.mark.parametrize(
    ("revision", "commit", "asked"),
    [
        ("@v1", OLD, ["/api/models/someone/model/revision/v1"]),
        ("", OLD, ["/api/models/someone/model"]),
        (f"@{NEW}", NEW, []),
    ],
)
def test_kinds_of_revisions(overlay: Path, hub: Hub, revision: str, commit: str, asked: list[str]) -> None:
    text = overlay.read_text().replace("@main", revision)
    overlay.write_text(text.replace(f"{hub.address}{CSV}", f"{{at: {hub.address}{CSV}, sha256: {'5a' * 32}}}"))
    found = Lock(hub={f"someone/model{revision}": commit}, urls={f"{hub.address}{CSV}": "5a" * 32})
    assert resolved(overlay) == found
    assert hub.asked == asked, "a URL whose sha256 is known is not fetched"


def test_all_that_can_not_be_reached_is_named(overlay: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    del hub.files[CSV]
    hub.branches["main"] = "gone"
    model, url = faults(overlay)
    assert model == (
        "hub model unavailable in mine.yaml:3 (recaption.captioner): hub:someone/model@main: RevisionNotFoundError; "
        "check its name, its revision and the network (a private model needs HF_TOKEN)"
    )
    assert url == (
        f"cannot fetch file in mine.yaml:7 (arms.0.table): {hub.address}{CSV}: HTTP Error 404: Not Found; check the "
        "URL and the network"
    )
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "hub:someone/model@main: ConnectError; check" in faults(overlay)[0]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "hub:someone/model@main: OfflineModeIsEnabled; check" in faults(overlay)[0]


def test_an_answer_without_a_commit_is_an_error(overlay: Path, hub: Hub) -> None:
    hub.branches["main"] = "latest"
    hub.commits["latest"] = {}
    assert faults(overlay) == [
        "no commit of a hub model in mine.yaml:3 (recaption.captioner): hub:someone/model@main: latest; check "
        "HF_ENDPOINT"
    ]


def test_a_mirror_is_hashed_if_the_url_does_not_answer(overlay: Path, hub: Hub) -> None:
    gone = "http://127.0.0.1:9/gone.csv"
    table = f"{{at: {gone}, mirrors: ['{hub.address}{CSV}']}}"
    overlay.write_text(overlay.read_text().replace(f"{hub.address}{CSV}", table))
    assert resolved(overlay).urls == {gone: hashlib.sha256(hub.files[CSV]).hexdigest()}


def test_one_url_with_two_hashes_is_an_error(overlay: Path, hub: Hub) -> None:
    url = f"{hub.address}{CSV}"
    more = f"annotations: {{exclude_from: {{at: {url}, sha256: {'6b' * 32}}}}}\n"
    text = overlay.read_text()
    overlay.write_text(more + text)
    assert resolved(overlay).urls == {url: "6b" * 32}, "the one that the config states also holds for the other place"
    overlay.write_text(more + text.replace(url, f"{{at: {url}, sha256: {'5a' * 32}}}"))
    (fault,) = faults(overlay)
    assert fault == (
        f"two sha256 for one URL in mine.yaml:8 (arms.0.table): {'5a' * 32}, and {'6b' * 32} elsewhere; correct one of "
        "them"
    )
