"""Programs of their own that may die in the middle."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path


def run(program, *arguments):
    """Run a program with the project on its path; what came of it."""
    env = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
