"""Curves of a report as a picture, through matplotlib."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from studio.errors import InputError
from studio.evaluation.report import Report

SUFFIXES = (".png", ".pdf")


def check_plot(file: Path | None) -> None:
    """Find out before any work whether a plot can be drawn.

    Raises:
        InputError: if matplotlib is missing, or the file has another ending or no folder.
    """
    if file is None:
        return
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"A plot is written as {' or '.join(SUFFIXES)}, not as {file.name!r}.")
    if not file.parent.is_dir():
        raise InputError(f"There is no folder {file.parent}. Make it, or choose another.")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError('Plots need matplotlib. Install it with `.venv/bin/pip install -e ".[evaluation]"`.')


def draw(report: Report, file: Path) -> None:
    """Draw all panels of a report side by side.

    Raises:
        InputError: if it has none.
    """
    from matplotlib.figure import Figure

    if not report.panels:
        raise InputError(f"The benchmark {report.bench} gives single numbers, no curves. Leave --plot out.")
    figure = Figure(figsize=(5 * len(report.panels), 4), layout="constrained")
    for axes, panel in zip(
        figure.subplots(1, len(report.panels), squeeze=False)[0], report.panels, strict=True
    ):
        for curve, marker in zip(panel.curves, "osD^v" * len(panel.curves), strict=False):
            axes.plot(curve.x, curve.y, marker=marker, label=curve.name)
        if panel.logarithmic:
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
        axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=120)
