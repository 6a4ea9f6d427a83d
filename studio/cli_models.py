"""The verbs about checkpoints: `studio models` lists them, `fetch` brings one, `draw` makes a guide image."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli_options import check_output
from studio.errors import InputError


def models() -> None:
    """List the models: what each takes, its chunk, and whether its weights are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from studio.settings import read_settings
    from studio.workers.local import local_worker

    worker = local_worker(read_settings())
    table = Table("Name", "Takes", "Chunk", "Memory", "Here", box=None, header_style="bold")
    for card in worker.cards():
        takes = [word for word, taken in (("text", card.takes_text), ("image", card.takes_image)) if taken]
        chunk = f"{card.num_frames} frames of {card.width}x{card.height}"
        here = "yes" if worker.is_here(card.name) else "no"
        table.add_row(card.name, " or ".join(takes), chunk, f"{card.memory_gb:g} GB", here)
    Console(soft_wrap=True).print(table)


def fetch(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name from `studio models`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
) -> None:
    """Download the weights of a model; a download that was broken off is carried on."""
    from rich.console import Console

    from studio.settings import read_settings
    from studio.workers.local import local_worker

    worker = local_worker(read_settings())
    missing, sentence = worker.plan(model)
    print(sentence)
    if not missing:
        return
    if not yes and not typer.confirm("Download them?"):
        raise InputError("Nothing was downloaded.")
    with Console(stderr=True).status("Downloading") as status:
        worker.fetch(model, status.update)
    print(f"{model} is here.")


def draw(
    prompt: Annotated[str, typer.Argument(help="What is seen.")],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the picture goes.")],
    model: Annotated[str, typer.Option(help="The video model that goes on from it: gives the size.")] = "svd",
    image_model: Annotated[
        str | None,
        typer.Option(
            help="Folder or hub id of a text-to-image pipeline; by default Stable Diffusion 1.5.",
            show_default=False,
        ),
    ] = None,
    negative: Annotated[str, typer.Option(metavar="PROMPT", help="What to keep away from.")] = "",
    steps: Annotated[int | None, typer.Option("--steps", "-s", help="Denoising steps.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same picture.")] = 0,
) -> None:
    """Draw a picture to begin a film with: studio make --guide FILE."""
    from studio.media import poster
    from studio.settings import read_settings
    from studio.workers.local import local_worker

    check_output(out, (".png", ".jpg", ".webp"))
    how = {"negative_prompt": negative, "num_inference_steps": steps, "source": image_model}
    picture = local_worker(read_settings()).draw(model, prompt, seed, **how)
    poster(picture, out)
    print(f"{out} has {picture.shape[1]}x{picture.shape[0]} pixels.")
