"""What the README tells people to type."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_command_that_uploads_a_space_is_understood(tmp_path: Path) -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    (line,) = (line for line in lines if " upload " in line and line.startswith(".venv/bin/hf"))
    words = [str(Path(sys.executable).with_name("hf")), *shlex.split(line)[1:]]
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    said = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stderr
    assert "Usage:" not in said
    assert "offline" in said  # it was read to its end, and the hub was asked
