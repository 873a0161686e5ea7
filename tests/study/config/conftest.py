"""A hub on this machine, and a config whose models and captions are on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.config.hub import Hub, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub; everything in this process uses it, and commands that it starts."""
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        template = f"{running.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", running.address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


@pytest.fixture
def overlay(tmp_path: Path, hub: Hub) -> Path:
    """An overlay of the small study: the captioner is on the hub, and the table of an arm at a URL without sha256."""
    hub.files["/captions.csv"] = b"key,caption\n1,a cat\n"
    path = tmp_path / "mine.yaml"
    path.write_text(f"""\
study: mine
recaption:
  captioner: hub:someone/model@main
arms:
  - name: revised
    kind: external
    table: {hub.address}/captions.csv
  - {{name: original, kind: original}}
  - {{name: mixed, kind: mixed, base: revised, share: 0.5}}
""")
    return path
