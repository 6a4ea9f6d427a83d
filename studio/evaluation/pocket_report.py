"""What was found out about the embedded model, as numbers with their numbers of cases."""

from __future__ import annotations

import math
from collections.abc import Iterator

from studio.evaluation.report import Machine
from studio.timeline import Frozen

UNITS = {
    "autoencoder": "dB",
    "autoencoder, enlarged": "dB",
    "flow before the seam": "px/frame",
    "flow after the seam": "px/frame",
    "likeness to the first guide": "cosine",
    "colour from the first guide": "levels",
    "sharpness against chunk 1": "times",
}
"""Units of measures; what is missing is a share of cases."""

CHANCE = {"subject": 1 / 40, "setting": 1 / 8, "direction": 1 / 4, "outside word": 1 / 40}
"""What guessing would give."""


class Figure(Frozen):
    """One number.

    Attributes:
        measure: what was measured.
        clips: on which clips.
        value: a share in 0..1, or a mean in `unit`.
        unit: `share`, `dB`, `px/frame`, `cosine`, `levels` of 0 to 255 or `times`.
        cases: how many clips, words or chains it is made of.
        series: chunk by chunk, for a chain.
    """

    measure: str
    clips: str
    value: float
    unit: str
    cases: int
    series: tuple[float, ...] = ()

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of a share (Wilson 1927); None for other units."""
        if self.unit != "share":
            return None
        z, n = 1.96, self.cases
        middle = (self.value + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(self.value * (1 - self.value) / n + z * z / (4 * n * n))
        return middle - reach, middle + reach

    @property
    def text(self) -> str:
        """The value for people, with the interval of a share."""
        if (interval := self.interval) is not None:
            return f"{100 * self.value:.0f} %  ({100 * interval[0]:.0f} to {100 * interval[1]:.0f})"
        return f"{self.value:.3f} cosine" if self.unit == "cosine" else f"{self.value:.2f} {self.unit}"


class PocketReport(Frozen):
    """All figures, with what they depend on.

    Attributes:
        updates: of the generator's training, if its record tells.
        clips: made from scenes of the corpus; steps, guidance, seed: of making them.
        judge: the CLIP model that named them; it never saw the generator.
        figures: the numbers.
        machine: where.
    """

    updates: int | None
    clips: int
    steps: int
    guidance: float
    seed: int
    judge: str
    figures: tuple[Figure, ...]
    machine: Machine


class Tally:
    """Collects cases and makes figures of them, in the order in which they first came."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}

    def add(self, measure: str, clips: str, value: float) -> None:
        """One more case; true and false count as 1 and 0."""
        self._values.setdefault((measure, clips), []).append(float(value))

    def figures(self) -> Iterator[Figure]:
        """A mean for each measure on each kind of clips, the kinds of a measure together."""
        for measure in dict.fromkeys(name for name, _ in self._values):
            for (name, clips), values in self._values.items():
                if name == measure:
                    yield Figure(
                        measure=name,
                        clips=clips,
                        value=sum(values) / len(values),
                        unit=UNITS.get(name, "share"),
                        cases=len(values),
                    )


def show(report: PocketReport) -> str:
    """The report as a table for people."""
    rows = [("", "clips", "value", "cases", "guessing")]
    before = ""
    for each in report.figures:
        chance = f"{100 * CHANCE[each.measure]:.3g} %" if each.measure in CHANCE else ""
        name = "" if each.measure == before else each.measure
        rows.append((name, each.clips, each.text, str(each.cases), chance))
        before = each.measure
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    series = [
        f"{each.clips}, {each.measure.partition(': ')[2]}: {'  '.join(f'{v:.3f}' for v in each.series)}"
        for each in report.figures
        if each.series
    ]
    updates = "" if report.updates is None else f" after {report.updates} updates"
    head = (
        f"pocket: the embedded model{updates}, {report.steps} steps, guidance {report.guidance:g}, seed "
        f"{report.seed}; subjects and settings named by {report.judge}; shares with 95 % intervals"
    )
    at = report.machine
    where = f"{at.processor}, {at.cores} cores, {at.threads} threads, torch {at.torch}, Python {at.python}"
    return "\n".join([head, *(line.rstrip() for line in lines), *series, where])
