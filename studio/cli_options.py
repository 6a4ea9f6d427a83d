"""The options of the verbs that make film, each with its help."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from studio.errors import InputError

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Where projects lie (also STUDIO_DATA_DIR).", show_default=False
    ),
]
Model = Annotated[
    str | None, typer.Option(help="Name of a model card; by default the film's, or else STUDIO_MODEL.")
]
Then = Annotated[
    list[str] | None,
    typer.Option(metavar="PROMPT", help="What happens next; may be given several times.", show_default=False),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        min=0, help="Length of what is made, rounded up to whole chunks; by default one chunk a prompt."
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(help="naive: one noise. k-step: look at several, finish the best. brute-force: finish all."),
]
Candidates = Annotated[
    int | None, typer.Option("--candidates", "-m", help="How many initial noises are tried.")
]
PreviewSteps = Annotated[
    int | None, typer.Option("--preview-steps", "-k", help="Steps of a preview; by default the model's.")
]
Previews = Annotated[
    str | None,
    typer.Option(help="schedule: a short run of k steps. prefix: the first k steps of the full run."),
]
Steps = Annotated[
    int | None, typer.Option("--steps", "-s", help="Steps of a full run; by default the model's.")
]
Guidance = Annotated[
    float | None, typer.Option(help="Classifier-free guidance, 1 for none; by default the model's.")
]
Negative = Annotated[
    str | None, typer.Option(metavar="PROMPT", help="What to keep away from; by default the model's.")
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of the first candidate; the same seed makes the same film.")
]
Size = Annotated[
    str | None, typer.Option(metavar="WxH", help="Width and height in pixels; by default the model's.")
]
Frames = Annotated[int | None, typer.Option(help="Frames of a chunk; by default the model's.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Copy the film here: .mp4, .webm, .gif, .zip of stills, or .otioz for editors.",
    ),
]
ProjectName = Annotated[
    str, typer.Argument(metavar="PROJECT", help="Id of a project, its beginning, or `last`.")
]
Guide = Annotated[
    Path | None,
    typer.Option(
        metavar="IMAGE",
        help="Begin the film, or with --cut the shot, with this image or a video's last frame.",
        show_default=False,
    ),
]
End = Annotated[
    Path | None,
    typer.Option(metavar="IMAGE", help="Lead the last chunk to this image.", show_default=False),
]
Cut = Annotated[
    bool,
    typer.Option(
        "--cut",
        help="Cut to a new shot: begin from the words, not from the end before. So does every --then.",
    ),
]
MatchColours = Annotated[
    bool | None,
    typer.Option(
        "--match-colours/--no-match-colours",
        help="Give a chunk the colours of the frame it goes on from, against drift.",
    ),
]
LeastLikeness = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Drift guard: make a chunk again whose likeness to its guide frame is below this; each is told.",
    ),
]
Loras = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="NAME[:WEIGHT]",
        help="A LoRA file of the folder STUDIO_LORA_DIR; may be given several times.",
        show_default=False,
    ),
]


def check_output(output: Path | None, suffixes: Iterable[str]) -> None:
    """Find out before any work whether a file can be written there.

    Raises:
        InputError: if it cannot, or ends in none of the suffixes.
    """
    if output is None:
        return
    suffixes = tuple(suffixes)
    if output.is_dir():
        raise InputError(f"{output} is a folder. Name a file in it, e.g. {output / f'film{suffixes[0]}'}.")
    if output.suffix.lower() not in suffixes:
        raise InputError(f"The file is written as {', '.join(suffixes)}, not as {output.name!r}.")
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written into {output.parent} ({error.strerror}). Choose another folder."
        ) from error


def check_film(film: Path) -> None:
    """Find out why a film cannot be opened at all.

    Raises:
        InputError: if there is no such file, or it is a video that cannot be read.
    """
    from studio.media import VIDEOS, read_info

    if not film.is_file():
        raise InputError(f"There is no file {film}. Check its name and folder.")
    if film.suffix.lower() in VIDEOS:
        read_info(film)
