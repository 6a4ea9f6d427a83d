"""Does LinGen cost what its paper says? Operations, adjacency of the scans, and growth with the tokens."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from statistics import median
from typing import Any

from studio.errors import InputError
from studio.evaluation.report import Curve, Measure, Panel, Report, this_machine

SIZES = {"published": (2560, 128), "pocket": (320, 64)}
"""Token width and hidden state size of the paper's 4 B model and of the embedded one."""

CLIPS = {"17 s": (34, 32, 32), "68 s": (136, 32, 32)}
"""Tokens of 512p video at 16 frames a second, 8 times smaller in each direction, patches of 2 x 2."""

LONGEST, MOST_TOKENS, PATIENCE = 60.0, 2**17, 1800.0


def flops(*, repeat: int, threads: int | None) -> Report:
    """Equations 1 to 3 against what torch counts. Nothing is timed: `repeat` and `threads` are not used."""
    from models.lingen.flops import counted_model, on_meta, parameters, predicted_model

    del repeat
    measures = [each for name in SIZES for each in _module(name)]
    lingen = on_meta()
    attention = on_meta(mamba_branch=False, window_size=(2**31, 2**31, 2**31))
    measures.append(_one("published, parameters", parameters(lingen) / 1e9, "B"))
    for name, grid in CLIPS.items():
        counted, predicted = counted_model(lingen, grid), predicted_model(lingen.config, grid)
        full = counted_model(attention, grid)
        measures += [
            _one(f"published, one pass over {name} of 512p", counted / 1e12, "TFLOP"),
            _difference(f"published, {name}: counted against predicted", counted, predicted),
            _one(f"published, {name}: full attention / LinGen", full / counted, ""),
        ]
    return Report(
        bench="lingen-flops",
        what="LinGen, supplement E.2, equations 1 to 3, against operations that torch counts on the modules",
        measures=tuple(measures),
        machine=this_machine(threads),
    )


def _module(name: str, tokens: int = 4096) -> list[Measure]:
    """Prediction against count for one bidirectional Mamba-2."""
    from models.lingen.flops import counted_mamba, predicted_mamba

    dim, state = SIZES[name]
    counted, predicted = counted_mamba(tokens, dim, state), predicted_mamba(tokens, dim, state)
    equations = predicted.total - predicted.chunks
    chunks = 100 * predicted.chunks / equations
    goal = 5.0 if name == "published" else None
    return [
        _difference(f"{name}, eq. 1, projections", counted.projections, predicted.projections),
        _difference(f"{name}, eq. 2, convolution", counted.convolution, predicted.convolution, target=None),
        _difference(f"{name}, eqs. 1-3", counted.total, equations, target=goal),
        _one(f"{name}, products inside chunks, beside eqs. 1-3", chunks, "%"),
        _difference(f"{name}, eqs. 1-3 and products inside chunks", counted.total, predicted.total),
    ]


def _one(name: str, value: float, unit: str, target: float | None = None) -> Measure:
    return Measure(name=name, value=value, unit=unit, target=target, values=(value,))


def _difference(name: str, counted: float, predicted: float, target: float | None = 5.0) -> Measure:
    """By how many per cent the count is off the prediction."""
    return _one(name, 100 * abs(counted / predicted - 1), "% off", target)


def adjacency(*, repeat: int, threads: int | None, side: int = 32, layers: int = 8) -> Report:
    """Fig. 1 of the supplement. Nothing is timed: `repeat` and `threads` are not used."""
    from models.lingen.adjacency import NEIGHBOURS, SCANS, adjacency_distances

    del repeat
    measures: list[Measure] = []
    panels = []
    numbers = tuple(float(layer) for layer in range(1, layers + 1))
    for neighbours in NEIGHBOURS:
        curves = []
        for scan in SCANS:
            found = tuple(adjacency_distances(scan, (side, side, side), layers, neighbours))
            name = f"{neighbours} neighbours, {scan}, d_{layers}"
            measures.append(Measure(name=name, value=found[-1], unit="tokens", values=found))
            curves.append(Curve(name=scan, x=numbers, y=found))
        title = f"{side} x {side} x {side} tokens, {neighbours} neighbours"
        panels.append(Panel(title=title, x="layers k", y="distance d_k", curves=tuple(curves)))
    return Report(
        bench="lingen-adjacency",
        what="average minimum distance of neighbours in the sequences of the first 1, 2, ... layers "
        "(LinGen, supplement A, Fig. 1)",
        measures=tuple(measures),
        machine=this_machine(threads),
        panels=tuple(panels),
    )


def scaling(
    *, repeat: int, threads: int | None, longest: float = LONGEST, most_tokens: int = MOST_TOKENS
) -> Report:
    """Time and memory from 1024 tokens on, doubling, until a pass takes `longest` seconds or fails.

    Each size is measured in a process of its own, the two models by turns. The growth exponent is the slope
    of the line through the larger half of the sizes, both axes logarithmic: 1 is linear, 2 quadratic.
    """
    from models.lingen.scaling import KINDS

    times: dict[str, dict[int, tuple[float, ...]]] = {kind: {} for kind in KINDS}
    memory: dict[str, dict[int, float]] = {kind: {} for kind in KINDS}
    tokens, going = 1024, list(KINDS)
    while going and tokens <= most_tokens:
        for kind in tuple(going):
            found = _pass(kind, tokens, repeat, threads)
            if found is None or median(found["seconds"]) > longest:
                going.remove(kind)
            if found is not None:
                times[kind][tokens], memory[kind][tokens] = tuple(found["seconds"]), found["mib"]
        tokens *= 2
    measures: list[Measure] = []
    for kind in KINDS:
        measures += [
            Measure(name=f"{kind}, {n} tokens", value=median(values), unit="s", values=values)
            for n, values in times[kind].items()
        ]
        measures += [_one(f"{kind}, {n} tokens", mib, "MiB") for n, mib in memory[kind].items()]
    medians = {kind: {n: median(values) for n, values in times[kind].items()} for kind in KINDS}
    for what, points in (("time", medians), ("memory", memory)):
        for kind in KINDS:
            goal = 1.1 if kind == "lingen" else None
            measures.append(_one(f"{kind}, growth of {what}", exponent(points[kind]), "", goal))
    return Report(
        bench="lingen-scaling",
        what="one forward pass against the number of tokens, and a transformer with full attention of the "
        "same width and depth in the same run",
        measures=tuple(measures),
        machine=this_machine(threads),
        panels=(_panel("Time", "seconds", medians), _panel("Memory", "MiB beside the weights", memory)),
    )


def exponent(points: dict[int, float]) -> float:
    """The slope of log value against log tokens over the larger half of the sizes, at least two of them.

    Raises:
        InputError: if there are fewer than two.
    """
    import numpy as np

    if len(points) < 2:
        raise InputError("Fewer than two sizes could be measured. Free some memory, or give more time.")
    used = sorted(points)[-max(2, math.ceil(len(points) / 2)) :]
    values = [max(points[tokens], 1e-9) for tokens in used]
    return float(np.polyfit(np.log(used), np.log(values), 1)[0])


def _panel(title: str, unit: str, points: dict[str, dict[int, float]]) -> Panel:
    curves = tuple(
        Curve(name=kind, x=tuple(map(float, values)), y=tuple(values.values()))
        for kind, values in points.items()
    )
    return Panel(title=title, x="tokens", y=unit, curves=curves, logarithmic=True)


def _pass(kind: str, tokens: int, repeat: int, threads: int | None) -> dict[str, Any] | None:
    """Measure one size in a process of its own; None if it failed, be it for want of memory or of time."""
    chosen = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "models.lingen.scaling", kind, str(tokens), str(repeat)],
            env={**os.environ, **chosen},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
