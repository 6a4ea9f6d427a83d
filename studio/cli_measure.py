"""The verbs that measure: `studio bench` how fast, `studio evaluate` how good."""

from pathlib import Path
from typing import Annotated, Any

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
            help="chunk, gallery, search, overhead, startup, memory, lingen-flops, lingen-adjacency, "
            "lingen-scaling or lingen-ablation.",
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
    longest: Annotated[
        float | None,
        typer.Option(min=0.1, help="lingen-scaling: seconds of a pass after which no larger size is tried."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=4, help="lingen-ablation: updates of every variant; by default 400.")
    ] = None,
) -> None:
    """Measure the studio on this machine."""
    from studio.evaluation.bench import BENCHES, CURVES, show
    from studio.evaluation.plot import check_plot, draw

    if what not in BENCHES:
        raise InputError(f"There is no benchmark called {what!r}. Choose one of: {', '.join(BENCHES)}.")
    if longest is not None and what != "lingen-scaling":
        raise InputError("--longest is for lingen-scaling alone. Leave it out.")
    if steps is not None and what != "lingen-ablation":
        raise InputError("--steps is for lingen-ablation alone. Leave it out.")
    if plot is not None and what not in CURVES:
        raise InputError(f"The benchmark {what} gives single numbers, no curves. Leave --plot out.")
    check_plot(plot)
    limits: dict[str, Any] = {} if longest is None else {"longest": longest}
    if steps is not None:
        limits["steps"] = steps
    report = BENCHES[what](repeat=repeat, threads=threads, **limits)
    print(report.model_dump_json(indent=2) if as_json else show(report))
    if plot is not None:
        draw(report, plot)


@evaluate.callback()
def evaluate_what() -> None:
    """Measure how good a model is."""


@evaluate.command("pocket")
def evaluate_pocket(
    clips: Annotated[int, typer.Option(min=4, help="Clips made from scenes of the corpus.")] = 200,
    steps: Annotated[
        int | None, typer.Option("--steps", "-s", help="Steps of a run; by default the model's.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Classifier-free guidance, 1 for none; by default the model's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of scenes, captions and noises.")] = 0,
    chunks: Annotated[
        int, typer.Option(min=0, help="Also make films of that many chunks and measure their drift.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the report and all clips here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the embedded model: subject, setting, direction, unknown words, continuation, drift."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from studio.evaluation.pocket import check_folder, pocket
    from studio.evaluation.pocket_report import show
    from studio.media import write_clip

    folder = None if out is None else check_folder(out)

    def keep(name: str, prompt: str, clip: Any) -> None:
        if folder is not None:
            write_clip(folder / "clips" / f"{name}.mp4", clip.frames, clip.fps, comment=prompt)

    columns = ("Making clips", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        report = pocket(
            clips=clips,
            steps=steps,
            guidance=guidance,
            seed=seed,
            chunks=chunks,
            tick=lambda done, total: bar.update(task, completed=done, total=total),
            keep=keep,
        )
    text, data = show(report), report.model_dump_json(indent=2)
    if folder is not None:
        (folder / "pocket.txt").write_text(text + "\n", encoding="utf-8")
        (folder / "pocket.json").write_text(data + "\n", encoding="utf-8")
    print(data if as_json else text)
