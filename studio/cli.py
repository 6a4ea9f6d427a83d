"""The studio's verbs without a browser.

    studio make "a fox runs through snow" --then "the fox jumps over a stream" --seconds 8 -o fox.mp4

A sentence on stderr and exit code 2 say that something asked for cannot be done; nothing has changed then.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.checks import check_idle, check_title
from studio.cli_measure import bench, evaluate
from studio.cli_models import draw, fetch, models
from studio.cli_options import (
    Candidates,
    Cut,
    Data,
    End,
    Frames,
    Guidance,
    Guide,
    LeastLikeness,
    Loras,
    MatchColours,
    Model,
    Negative,
    Output,
    Previews,
    PreviewSteps,
    ProjectName,
    Seconds,
    Seed,
    Size,
    Steps,
    Strategy,
    Then,
    check_film,
    check_output,
)
from studio.cli_requests import requests_of, take_images
from studio.costs import reading_words
from studio.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from studio.studio import Studio
    from studio.timeline import ChunkRequest, Project

app = typer.Typer(
    name="studio",
    help="From a prompt to a long video, chunk by chunk.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

SUFFIXES = {".mp4": "mp4", ".webm": "webm", ".gif": "gif", ".zip": "frames", ".otioz": "otioz"}


def main() -> None:
    """Run the command line; `InputError` is one sentence on stderr and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):  # a film is not lost for a name that cannot be printed
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


@app.command("open")
def open_page(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; by default the first free one from 7860.")] = None,
) -> None:
    """Open the studio's page in the browser."""
    from studio.ui.launch import launch

    launch(_settings(data=data, host=host, port=port), open_browser=True)


@app.command()
def make(
    prompt: Annotated[str, typer.Argument(help="What the video shows.", show_default=False)],
    *,
    then: Then = None,
    seconds: Seconds = None,
    cut: Cut = False,
    guide: Guide = None,
    end: End = None,
    title: Annotated[str, typer.Option(help="Name of the project; by default the prompt.")] = "",
    output: Output = None,
    model: Model = None,
    strategy: Strategy = "k-step",
    candidates: Candidates = 4,
    preview_steps: PreviewSteps = None,
    previews: Previews = "schedule",
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    lora: Loras = None,
    match_colours: MatchColours = False,
    least_likeness: LeastLikeness = 0.0,
    seed: Seed = 0,
    size: Size = None,
    frames: Frames = None,
    data: Data = None,
) -> None:
    """Make a film: search, take the best candidate, continue from its end, and so on."""
    choices = locals()
    with _studio(data) as studio:
        check_output(output, SUFFIXES)
        if title.strip():
            check_title(title)
        requests = requests_of(studio, choices)
        studio.check(requests)
        project = studio.create_project(title.strip() or prompt.strip()[:80])
        try:
            take_images(studio, project, requests, choices)
            console = _load(studio, requests[0].model)
        except BaseException:  # Ctrl-C ends a download
            studio.delete_project(project.id)
            raise
        _work(studio, project, requests, output, console)


@app.command()
def extend(
    project: ProjectName,
    prompt: Annotated[str, typer.Argument(help="What happens next.", show_default=False)],
    *,
    then: Then = None,
    seconds: Seconds = None,
    cut: Cut = False,
    guide: Guide = None,
    end: End = None,
    output: Output = None,
    model: Model = None,
    strategy: Strategy = None,
    candidates: Candidates = None,
    preview_steps: PreviewSteps = None,
    previews: Previews = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    lora: Loras = None,
    match_colours: MatchColours = None,
    least_likeness: LeastLikeness = None,
    seed: Seed = None,
    size: Size = None,
    frames: Frames = None,
    data: Data = None,
) -> None:
    """Continue the film of a project, with what its last chunk was made with where nothing else is said."""
    choices = locals()
    with _studio(data) as studio:
        check_output(output, SUFFIXES)
        found = _find(studio, project)
        check_idle(studio.jobs, found.id)
        requests = requests_of(studio, choices, found)
        checked = studio.check(requests, continues=found.head is not None)
        take_images(studio, found, requests, choices)
        _work(studio, found, requests, output, _load(studio, checked[0].model))


@app.command()
def projects(data: Data = None) -> None:
    """List all projects, the one that changed last first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    with _studio(data) as studio:
        table = Table("title", "length", "chunks", "changed", "id", box=None, pad_edge=False)
        for each in studio.projects():
            changed = each.updated.astimezone().strftime("%Y-%m-%d %H:%M")
            length = f"{each.seconds:.1f} s"
            table.add_row(Text(each.title), length, str(each.num_segments), changed, each.id[:12])
        if table.row_count:
            Console(soft_wrap=True).print(table)
            return
        print(f"There is no project in {studio.settings.data_dir} yet.")
        print('Make one: studio make "a fox runs through snow"')


@app.command()
def export(
    project: ProjectName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help=".mp4, .webm, .gif, .zip or .otioz.")
    ],
    data: Data = None,
) -> None:
    """Write the film of a project to a file."""
    with _studio(data) as studio:
        check_output(output, SUFFIXES)
        _film(studio, _find(studio, project).id, output)
        print(output)


@app.command()
def restore(
    film: Annotated[Path, typer.Argument(metavar="FILM", help="An mp4 or webm that was exported.")],
    data: Data = None,
) -> None:
    """Make a project of a film again, to go on with it."""
    with _studio(data) as studio:
        project = studio.restore(film)
        if project is None:
            check_film(film)
            raise InputError(f"{film} is no film of this studio. Choose an mp4 or webm that it exported.")
        print(f"{project.title}, {len(project.branch())} chunks: studio extend {project.id[:12]}")


app.command()(models)
app.command()(fetch)
app.command()(draw)
app.command()(bench)
app.add_typer(evaluate)


@contextmanager
def _studio(data: Path | None) -> Iterator["Studio"]:
    """A studio that loads its model with the first work."""
    from studio.studio import Studio

    studio = Studio(_settings(data=data))
    try:
        yield studio
    finally:
        studio.close()


def _settings(**options: Any) -> Any:
    """Settings from the environment, and from the options that were given."""
    from studio.settings import read_settings

    given = {
        "data_dir" if name == "data" else name: value for name, value in options.items() if value is not None
    }
    return read_settings(**given)


def _find(studio: "Studio", name: str) -> "Project":
    """The project of an id, of the beginning of one, or the last one."""
    ids = [summary.id for summary in studio.projects()]
    found = ids[:1] if name == "last" else [each for each in ids if name and each.startswith(name)]
    if len(found) != 1:
        what = "There is no project" if not found else f"{len(found)} projects have an id"
        raise InputError(f"{what} that begins with {name!r}. See `studio projects`.")
    return studio.project(found[0])


def _load(studio: "Studio", model: str) -> "Console":
    """Load the model, so that a missing weight file is told before anything is begun; gives a console."""
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True)
    with console.status(f"Loading {studio.card(model).title}"):
        studio.load(model)
    return console


def _work(
    studio: "Studio",
    project: "Project",
    requests: "list[ChunkRequest]",
    output: Path | None,
    console: "Console",
) -> None:
    """Make the segments, show how it goes, and say where the film lies."""
    from studio.terminal import watch

    cost = studio.cost(*requests, continues=project.head is not None, guarded=True)
    console.print(cost.sentence, highlight=False)
    prompts = "\n".join(request.prompt for request in requests)
    if words := reading_words(studio.worker.reading(requests[0].model, prompts)):
        console.print(words, highlight=False, markup=False)
    studio.store.sweep()
    view = watch(studio, studio.make(project.id, requests), project.id, console)
    made = studio.project(project.id)
    print(f"project  {made.id}  {made.title}  {made.seconds:.1f} s in {studio.store.media_dir(made.id)}")
    if view.state == "done":
        print(f"film     {_film(studio, made.id, output)}")
    else:
        _tell_end(console, view.state, view.error)


def _tell_end(console: "Console", state: str, error: str) -> None:
    """Why there is no film, and how the program ends: 1 for what went wrong, 130 for Ctrl-C."""
    if state == "failed":
        console.print(error, highlight=False, markup=False)
        raise typer.Exit(1)
    console.print("Cancelled; finished chunks are kept. Go on with `studio extend last`.", highlight=False)
    raise typer.Exit(130)


def _film(studio: "Studio", project_id: str, output: Path | None) -> Path:
    """Write the film to a file, or leave it in the project; gives where it lies."""
    if output is None:
        return studio.export(project_id)
    return studio.export(project_id, SUFFIXES[output.suffix.lower()], output)
