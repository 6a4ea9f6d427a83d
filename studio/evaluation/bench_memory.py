"""Does a long film need more memory than a short one? Each is made in a process of its own.

`python -m studio.evaluation.bench_memory N` makes and joins a film of N segments and prints its peak in MiB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from studio.errors import InputError
from studio.evaluation.report import Measure, Report, this_machine
from studio.settings import read_settings

SHORT, LONG = 4, 40
STEPS = 2


def memory(*, repeat: int, threads: int | None) -> Report:
    """Peak resident memory of a film of 40 segments against one of 4; measured once, `repeat` is not used."""
    del repeat
    short, long = (_in_a_process(number, threads) for number in (SHORT, LONG))
    return Report(
        bench="memory",
        what=f"peak resident memory while a film is made ({STEPS} steps a segment) and joined",
        measures=(
            Measure(name=f"{SHORT} segments", value=short, unit="MiB", values=(short,)),
            Measure(name=f"{LONG} segments", value=long, unit="MiB", values=(long,)),
            Measure(name="long / short", value=long / short, unit="", target=1.1, values=(long / short,)),
        ),
        machine=this_machine(threads or read_settings().threads),
    )


def film(segments: int) -> float:
    """Make and join a film of that many segments; gives this process's peak resident memory in MiB."""
    from models.memory import peak_bytes
    from studio.studio import Studio

    with tempfile.TemporaryDirectory(prefix="studio-bench-") as folder:
        settings = read_settings().model_copy(update={"data_dir": Path(folder), "warm": False})
        with Studio(settings) as studio:
            request = studio.default_request(settings.model, "a fox runs through snow")
            request = request.model_copy(update={"strategy": "naive", "num_inference_steps": STEPS})
            requests = [request.model_copy(update={"seed": seed}) for seed in range(segments)]
            project = studio.create_project()
            view = studio.wait(studio.make(project.id, requests))
            if view.state != "done":
                raise InputError(view.error or f"The job was {view.state}.")
            studio.export(project.id)
    return peak_bytes() / 2**20


def _in_a_process(segments: int, threads: int | None) -> float:
    chosen = {} if threads is None else {"STUDIO_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(segments)],
        env={**os.environ, **chosen},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError(f"A film of {segments} segments could not be made: {done.stderr.strip()[-300:]}")
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    print(f"{film(int(sys.argv[1])):.1f}")
