"""The verbs that measure: `studio bench` how fast, `studio evaluate` how good."""

from pathlib import Path
from typing import Annotated

import typer

from studio.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]

evaluate = typer.Typer(
    name="evaluate", help="Measure how good a model is.", no_args_is_help=True, rich_markup_mode="rich"
)


def bench(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="chunk, gallery, overhead, startup, memory, lingen-flops, lingen-adjacency or "
            "lingen-scaling.",
        ),
    ],
    as_json: Json = False,
    repeat: Annotated[int, typer.Option(min=1, help="How often each timing is taken.")] = 3,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; by default torch's choice.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the curves, if there are any: .png or .pdf.")
    ] = None,
) -> None:
    """Measure the studio on this machine."""
    from studio.evaluation.bench import BENCHES, show
    from studio.evaluation.plot import check_plot, draw

    if what not in BENCHES:
        raise InputError(f"There is no benchmark called {what!r}. Choose one of: {', '.join(BENCHES)}.")
    check_plot(plot)
    report = BENCHES[what](repeat=repeat, threads=threads)
    print(report.model_dump_json(indent=2) if as_json else show(report))
    if plot is not None:
        draw(report, plot)
