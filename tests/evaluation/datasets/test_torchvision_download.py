"""Downloads through torchvision: atomic, and a fault says what to do."""

from pathlib import Path

import pytest
import torchvision.datasets

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.torchvision_download import download


class Reader:
    """Stands for a torchvision reader: writes a file per split; fails while the network is away."""

    online = True

    def __init__(self, root: str, download: bool, train: bool) -> None:
        assert download
        if not train and not self.online:
            raise RuntimeError("HTTP Error 503")
        Path(root, f"train={train}").write_text("data")


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Reader)
    monkeypatch.setattr(Reader, "online", False)
    root = tmp_path / "data" / "cifar10"
    with pytest.raises(PipelineError, match=r"download failed in .*cifar10: cifar10: HTTP Error 503; put its files"):
        download("cifar10", root)
    assert not root.exists()
    monkeypatch.setattr(Reader, "online", True)
    download("cifar10", root)
    assert sorted(path.name for path in root.iterdir()) == ["train=False", "train=True"]


def test_unknown_set(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"unknown torchvision set in .*: cifar11"):
        download("cifar11", tmp_path / "x")
