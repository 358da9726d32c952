"""What the tests of the page share: one browser, and the charts made once."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.page_load import CHROMIUM
from cli.serve.drawing import drawing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, whichever the system has. It ends with each module: its event loop would stand in the way of others' loops."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine (apt-get install chromium-headless-shell)")
    # Chromium's own sandbox does not start for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments, timeout=120_000)
        yield started
        started.close()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the charts as a daemon keeps them: making them takes seconds."""
    folder = tmp_path_factory.mktemp("drawn")
    drawing(str(folder))
    return folder
