"""What is each part of LinGen worth? The embedded generator trained without it, for equally many updates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.evaluation.report import Curve, Measure, Panel, Report, this_machine

if TYPE_CHECKING:
    from models.pocket.training_set import GeneratorSettings

STEPS = 400
WORK = Path("var/pocket")


def ablation(
    *,
    repeat: int,
    threads: int | None,
    steps: int = STEPS,
    work: Path = WORK,
    assets: Path | None = None,
    settings: GeneratorSettings | None = None,
) -> Report:
    """Loss on held-out clips of every variant; a trial that was done before is not done again.

    Args:
        repeat: seeds of every variant.
        threads: CPU threads.
        steps: updates of every variant.
        work: folder with encoded clips; results and a sheet of every variant are kept there.
        assets: folder of the embedded pipeline, for its text encoder and autoencoder.
        settings: of the training.

    Raises:
        InputError: if there are no encoded clips; it names the command that makes them.
    """
    from models.catalog import card
    from models.pocket.ablation import VARIANTS, Trial
    from models.pocket.ablation import ablation as trials_of

    machine = this_machine(threads)
    trials = [Trial(variant, seed, steps) for seed in range(repeat) for variant in VARIANTS]
    folder = assets or Path(card("pocket").source)
    found = list(trials_of(folder, work, trials, settings, threads or machine.cores))
    measures, curves = [], []
    for variant in VARIANTS:
        rows = [each["losses"] for each in found if each["variant"] == variant]
        ends = tuple(row[-1][1] for row in rows)
        measures.append(Measure(name=variant, value=sum(ends) / len(ends), unit="", values=ends))
        at = tuple(float(step) for step, _ in rows[0])
        means = tuple(
            sum(losses) / len(losses) for losses in zip(*([b for _, b in r] for r in rows), strict=True)
        )
        curves.append(Curve(name=variant, x=at, y=means))
    panel = Panel(title="Loss on held-out clips", x="updates", y="loss", curves=tuple(curves))
    what = f"loss on held-out clips after {steps} updates from nothing; sheets in {work}"
    return Report(
        bench="lingen-ablation", what=what, measures=tuple(measures), machine=machine, panels=(panel,)
    )
