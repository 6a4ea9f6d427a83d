"""A real server with a tiny random pipeline behind a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = int(os.environ.get("STUDIO_TEST_PATIENCE_MS", "150000"))  # until an expectation counts as failed
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The system's Chromium; None leaves it to Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("STUDIO_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium for the whole session."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS, timeout=PATIENCE)
        except api.Error as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(
                f"No Chromium: set STUDIO_CHROMIUM or run `playwright install chromium`. {error}"[:300]
            )
        api.expect.set_options(timeout=PATIENCE)
        yield opened
        opened.close()


class Server:
    """`python app.py` in a process of its own, over one data folder."""

    def __init__(self, folder: Path, sources: dict[str, str], **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / "server.log"
        self.environment = {
            **os.environ,
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_SSR_MODE": "false",
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "HF_HUB_OFFLINE": "1",
            "NO_PROXY": "127.0.0.1",
            "STUDIO_DATA_DIR": str(folder / "data"),
            "STUDIO_PORT": str(self.port),
            "STUDIO_SOURCES": json.dumps(sources),
            "STUDIO_THREADS": "1",
            "STUDIO_MIN_FREE_MB": "1",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        until = time.monotonic() + 600
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        self.stop()
        pytest.fail(f"The server did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The studio over a tiny random pipeline and a tiny random CLIP of the real classes."""
    from tests.models.scoring.tiny_clip import save_tiny_clip
    from tests.tiny import tiny_lingen

    folder = tmp_path_factory.mktemp("browser")
    tiny_lingen(folder / "pocket")
    clip = save_tiny_clip(folder / "clip")
    running = Server(folder, {"pocket": str(folder / "pocket"), "clip": str(clip)})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def shared_server(server: Server, tmp_path: Path) -> Iterator[Server]:
    """The same models behind a studio that strangers share."""
    running = Server(tmp_path, json.loads(server.environment["STUDIO_SOURCES"]), STUDIO_SHARED="true")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def open_page(browser):
    """Open the page; afterwards every request must have stayed on this machine, without a script error."""
    contexts, errors, strangers = [], [], []

    def opened(url: str, width: int = 1280, height: int = 800, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
                else strangers.append(request.url)
            ),
        )
        page.goto(url)
        page.locator(".examples button, .strip .segment, .take").first.wait_for(state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []
    assert errors == []
