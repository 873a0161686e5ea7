"""torch.hub loads an exported folder by the folder's own code, or by the project's, which runs none of the folder's."""

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import ROOT
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export import hubconf
from workflow_scripts.export.network import recipe_of, sample
from workflow_scripts.models import small_resnet
from workflow_scripts.models.backbones import build_backbone

WITHOUT_PROJECT = "import sys; sys.modules['workflow_scripts'] = None"  # it is installed here, also with -I
LOAD = """
import sys, torch
network = torch.hub.load(*sys.argv[1:], source="local")
print(network(torch.load("x.pt", weights_only=True)).detach().tolist())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What torch.hub needs of an export of ``resnet_small``, and images in ``x.pt``."""
    torch.manual_seed(0)
    network, _ = build_backbone("resnet_small", 32)
    save_file(network.state_dict(), tmp_path / hubconf.WEIGHTS)
    (tmp_path / hubconf.CONFIG).write_bytes(pretty({hubconf.SECTION: recipe_of("resnet_small", 32)._asdict()}))
    for module, name in ((hubconf, "hubconf.py"), (small_resnet, "small_resnet.py")):
        shutil.copyfile(inspect.getfile(module), tmp_path / name)
    torch.save(sample(32), tmp_path / "x.pt")
    return tmp_path


def loaded(folder: Path, *given: str, code: str = LOAD) -> torch.Tensor:
    """Features by a new Python that starts in ``folder``, so that it would find modules there."""
    command = [sys.executable, "-c", code, *given]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"HOME": str(folder)})
    assert ran.returncode == 0, ran.stderr
    return torch.tensor(json.loads(ran.stdout))


def test_the_folder_and_the_project_load_the_same_network(folder: Path) -> None:
    expected = hubconf.network(folder)(sample(32)).detach()
    torch.testing.assert_close(loaded(folder, str(folder), "network", code=WITHOUT_PROJECT + LOAD), expected)
    for name in ("hubconf.py", "small_resnet.py"):
        (folder / name).write_text("raise RuntimeError('code of the folder')")
    torch.testing.assert_close(loaded(folder, str(ROOT), "network", str(folder)), expected)
