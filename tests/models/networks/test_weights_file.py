import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 7), nn.BatchNorm2d(4))


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    torch.save({"conv1.weight": Evil(tmp_path / "ran")}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    for name in ("w.pth", "plain.pth"):
        with pytest.raises(PipelineError, match=rf"weights that hold more than tensors in .*{name}"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.zeros(1_000_000)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as stored, zipfile.ZipFile(tmp_path / "small.pth", "w") as small:
        for member in stored.namelist():
            small.writestr(member, stored.read(member), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "small.pth").stat().st_size < 20_000
    with pytest.raises(PipelineError, match=r"unreadable weights in .*small\.pth: .* is compressed, which torch"):
        read_weights(tmp_path / "small.pth")
    assert read_weights(tmp_path / "w.pth")["0.weight"].shape == (1_000_000,)


FAULTS: dict[str, tuple[Any, str]] = {
    "missing": (lambda w: w.pop("0.weight"), r"1 missing: 0\.weight; correct layout"),
    "unexpected": (lambda w: w.update({"x.y": torch.zeros(1)}), r"1 unexpected: x\.y"),
    "shape": (
        lambda w: w.update({"0.weight": torch.zeros(4, 3, 3, 3)}),
        r"1 of another shape: 0\.weight \(4, 3, 3, 3\) instead of \(4, 3, 7, 7\)",
    ),
    "NaN": (lambda w: w["1.weight"].fill_(float("nan")), r"1 not finite reals: 1\.weight"),
    "quantised": (lambda w: w.update({"0.weight": w["0.weight"].to(torch.int8)}), r"1 not finite reals: 0\.weight"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_of_another_network_are_refused(tmp_path: Path, fault: str) -> None:
    weights = network().state_dict()
    change, message = FAULTS[fault]
    change(weights)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(PipelineError, match=rf"weights of another network in .*w\.safetensors: {message}"):
        fill(network(), read_weights(tmp_path / "w.safetensors"), (), tmp_path / "w.safetensors")


def test_a_classifiers_weights_and_missing_counters_are_left_out(tmp_path: Path) -> None:
    weights = network().state_dict()
    del weights["1.num_batches_tracked"]
    given = {**weights, "fc.weight": torch.zeros(2, 4)}
    filled = network()
    fill(filled, given, ("fc.",), tmp_path)
    assert all(torch.equal(filled.state_dict()[name], value) for name, value in weights.items())


def test_weights_without_values_are_refused(tmp_path: Path) -> None:
    torch.save(network().to("meta").state_dict(), tmp_path / "w.pth")
    with pytest.raises(PipelineError, match=r"weights that can't be copied in .*w\.pth"):
        fill(network(), read_weights(tmp_path / "w.pth"), (), tmp_path / "w.pth")


def test_files_without_weights_are_an_error(tmp_path: Path) -> None:
    for data, message in (
        (b"", "unreadable weights"),
        (b"x" * 50, "hold more than tensors"),
        (b"PK\x03\x04", "unreadable"),
    ):
        (tmp_path / "w.pth").write_bytes(data)
        with pytest.raises(PipelineError, match=message):
            read_weights(tmp_path / "w.pth")
    torch.save([torch.zeros(1)], tmp_path / "w.pth")
    with pytest.raises(PipelineError, match=r"weights that are not named tensors in .*: list"):
        read_weights(tmp_path / "w.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(PipelineError, match=r"none of 1 names begins with b\., the first is a"):
        read_weights(tmp_path / "w.pth", "b.")


def test_the_weights_file_of_a_folder_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    (tmp_path / "._w.pth").touch()  # as macOS leaves it on other file systems
    assert weights_file(tmp_path).name == "w.pth" and weights_file(tmp_path / "w.pth").name == "w.pth"
    (tmp_path / "v.pth").touch()
    with pytest.raises(PipelineError, match=r"several files of weights in .*: v\.pth, w\.pth"):
        weights_file(tmp_path)
    (tmp_path / "._model.safetensors").touch()
    (tmp_path / "model.safetensors").touch()
    assert weights_file(tmp_path).name == "model.safetensors"
    (tmp_path / "empty").mkdir()
    with pytest.raises(PipelineError, match=r"no weights in .*empty"):
        weights_file(tmp_path / "empty")
