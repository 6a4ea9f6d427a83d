"""What a benchmark found, and the machine it found it on."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from studio.timeline import Frozen


class Machine(Frozen):
    """Where it was measured.

    Attributes:
        processor: its name; cores: that this process may use; threads: of torch.
        torch, python: versions.
    """

    processor: str
    cores: int
    threads: int
    torch: str
    python: str


class Measure(Frozen):
    """One number.

    Attributes:
        name: what it is; value in `unit`; lower is better.
        target: what it should not exceed, or None.
        values: every single measurement, in the order it was taken; `value` is their median.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    values: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return ""
        return "met" if self.value <= self.target else "missed"


class Curve(Frozen):
    """A line of a plot: its name and its points."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Panel(Frozen):
    """A plot: its title, its axes (both logarithmic or neither) and its lines."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False


class Report(Frozen):
    """A benchmark's result.

    Attributes:
        bench: its name.
        what: what was measured, in one sentence.
        measures: the numbers.
        machine: where.
        panels: plots, for benchmarks that give curves.
    """

    bench: str
    what: str
    measures: tuple[Measure, ...]
    machine: Machine
    panels: tuple[Panel, ...] = ()


class Bench(Protocol):
    """A benchmark: `repeat` measurements with that many CPU threads, None for torch's choice."""

    def __call__(self, *, repeat: int, threads: int | None) -> Report:
        """Measure."""


def this_machine(threads: int | None = None) -> Machine:
    """The machine, and with how many threads it was measured: as many as it has cores, unless told."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "none"
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return Machine(
        processor=_processor(),
        cores=cores,
        threads=threads or cores,
        torch=torch,
        python=platform.python_version(),
    )


def show(report: Report) -> str:
    """The report as a table for people."""
    rows = [("", "measured", "target", "", "single measurements")]
    for each in report.measures:
        target = "" if each.target is None else f"{each.target:g} {each.unit}".strip()
        singles = "  ".join(f"{value:.3g}" for value in each.values)
        rows.append((each.name, f"{each.value:.3g} {each.unit}".strip(), target, each.verdict, singles))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    at = report.machine
    where = f"{at.processor}, {at.cores} cores, {at.threads} threads, torch {at.torch}, Python {at.python}"
    return "\n".join([f"{report.bench}: {report.what}", *(line.rstrip() for line in lines), where])


def _processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
