"""From `python app.py` to a page that answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

from studio.errors import InputError
from studio.evaluation.report import Measure, Report, this_machine
from studio.settings import read_settings

APP = Path(__file__).resolve().parents[2] / "app.py"
PATIENCE = 120.0


def startup(*, repeat: int, threads: int | None) -> Report:
    """Seconds from the start of the program to HTTP 200."""
    values = tuple(_start(threads) for _ in range(repeat))
    measure = Measure(name="page answers", value=median(values), unit="s", target=15, values=values)
    return Report(
        bench="startup",
        what="from starting `python app.py` to a page that answers HTTP 200",
        measures=(measure,),
        machine=this_machine(threads or read_settings().threads),
    )


def _start(threads: int | None) -> float:
    """One start over an empty folder."""
    if not APP.is_file():
        raise InputError(f"There is no {APP}. Run this benchmark from a checkout of the repository.")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="studio-bench-") as folder:
        chosen = {"STUDIO_DATA_DIR": folder, "STUDIO_PORT": str(port)}
        if threads is not None:
            chosen["STUDIO_THREADS"] = str(threads)
        begun = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, str(APP)],
            cwd=APP.parent,
            env={**os.environ, **chosen},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                _wait(f"http://127.0.0.1:{port}/", server)
                return time.perf_counter() - begun
            finally:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until the page answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise InputError(f"`python app.py` ended with code {server.returncode}. Run it to see why.")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise InputError(f"The page did not answer within {PATIENCE:g} s. Run `python app.py` to see why.")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
