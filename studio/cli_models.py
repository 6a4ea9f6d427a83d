"""The verbs about checkpoints: `studio models` lists them, `studio fetch` brings one from the hub."""

from typing import Annotated

import typer

from studio.errors import InputError


def models() -> None:
    """List the models: what each takes, its chunk, and whether its weights are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from studio.workers.local import LocalWorker

    worker = LocalWorker()
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

    from studio.settings import Settings
    from studio.workers.local import local_worker

    worker = local_worker(Settings())
    missing, sentence = worker.plan(model)
    print(sentence)
    if not missing:
        return
    if not yes and not typer.confirm("Download them?"):
        raise InputError("Nothing was downloaded.")
    with Console(stderr=True).status("Downloading") as status:
        worker.fetch(model, status.update)
    print(f"{worker.card(model).title} is here.")
