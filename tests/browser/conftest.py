"""Chromium, where it is installed; elsewhere these tests are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import PROGRAM, Page, chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where there is no Chromium."""
    for item in items:
        if PROGRAM is None and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The browser of all tests."""
    with chromium(tmp_path_factory.mktemp("chromium")) as made:
        yield made


@pytest.fixture
def page(tab: Page, tmp_path: Path) -> Page:
    """Its tab, with nothing open or stored; it saves files in ``tmp_path/saved``."""
    (tmp_path / "saved").mkdir()
    tab.offline(False)
    tab.open("about:blank")
    tab.call("Emulation.clearDeviceMetricsOverride")
    tab.call("Storage.clearDataForOrigin", origin="file://", storageTypes="all")
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
    tab.messages.clear()
    return tab
