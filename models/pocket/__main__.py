"""``python -m models.pocket``: makes the embedded model's weights, one command a part, each resumable."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Minutes = Annotated[float, typer.Option(min=0.01, help="Training time in all, over every resumed part.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Seed = Annotated[int, typer.Option(help="Seed of the weights and of the clips drawn.")]
Work = Annotated[Path, typer.Option(help="Where checkpoints and logs are kept.")]
StartFrom = Annotated[
    Optional[Path],  # noqa: UP045 - typer on Python 3.10
    typer.Option(help="Published folder whose weights are the beginning; random weights if left out."),
]
Vae = Annotated[Path, typer.Option(help="Folder of the finished autoencoder.")]
Resume = Annotated[bool, typer.Option(help="Carry on from the last checkpoint.")]
Steps = Annotated[Optional[int], typer.Option(help="Stop after this many steps instead of by the clock.")]  # noqa: UP045


@app.command()
def corpus(
    cache: Annotated[Path, typer.Option(help="Where the downloaded packages are kept.")] = Path(
        "var/pocket/cache"
    ),
    out: Annotated[Path, typer.Option(help="Folder for the packed sprites.")] = Path("var/pocket"),
) -> None:
    """Fetches the animated emoji with npm and packs the cast's frames."""
    from models.pocket.sprites import pack_sprites

    typer.echo(pack_sprites(cache, out))


@app.command()
def autoencoder(
    *,
    minutes: Minutes = 33.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 2,
    seed: Seed = 0,
    work: Work = Path("var/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the finished autoencoder.")] = Path(
        "assets/pocket/vae"
    ),
    start_from: StartFrom = None,
    channels: Annotated[int, typer.Option(help="Latent channels, at least as many as it begins with.")] = 24,
) -> None:
    """Trains the video autoencoder."""
    from models.pocket.train_autoencoder import AutoencoderSettings, carried_on, train_autoencoder
    from models.pocket.training import start_over

    start_over(resume, work / "autoencoder.pt", work / "autoencoder.jsonl")
    settings = AutoencoderSettings(seed=seed, channels=channels)
    settings = carried_on(settings) if start_from else settings
    train_autoencoder(
        out, work, minutes, settings, max_steps=max_steps, threads=threads, start_from=start_from
    )


@app.command()
def narrow(
    wide: Annotated[Path, typer.Option(help="Folder of an autoencoder that began with the finished one.")],
    out: Annotated[Path, typer.Option(help="Folder of the finished autoencoder.")] = Path(
        "assets/pocket/vae"
    ),
) -> None:
    """Takes over the decoder of an autoencoder that was trained with more latent channels, without them."""
    from models.pocket.autoencoder import (
        held_out_psnr,
        load_autoencoder,
        narrowed_autoencoder,
        save_autoencoder,
    )
    from models.pocket.training import record_before

    vae = narrowed_autoencoder(load_autoencoder(wide), load_autoencoder(out))
    record = {"encoder_of": record_before(out), "decoder_of": record_before(wide)}
    save_autoencoder(vae, out, {**record, "held_out_psnr_db": round(held_out_psnr(vae), 2)})


@app.command(name="text-encoder")
def text_encoder(
    out: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
) -> None:
    """Stores the text encoder and its tokenizer in small files."""
    from models.pocket.text_encoder import save_text_encoder

    save_text_encoder(out)


@app.command()
def latents(
    *,
    clips: Annotated[int, typer.Option(help="Clips in all.")] = 4096,
    stills: Annotated[int, typer.Option(help="Single pictures in all.")] = 8192,
    turns: Annotated[int, typer.Option(help="Clips in all that turn to something else.")] = 512,
    continued: Annotated[int, typer.Option(help="Clips in all that begin within a film.")] = 2048,
    only_render: Annotated[bool, typer.Option(help="Render ahead of the autoencoder.")] = False,
    threads: Threads = 2,
    work: Work = Path("var/pocket"),
    vae: Vae = Path("assets/pocket/vae"),
) -> None:
    """Renders and encodes the clips that the generator learns from."""
    from models.pocket.latents import make_latents
    from models.pocket.training import use_threads

    device = use_threads(threads)
    for line in make_latents(work, vae, clips, stills, turns, continued, only_render, device):
        typer.echo(line)


@app.command()
def generator(
    *,
    minutes: Minutes = 60.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 2,
    seed: Seed = 0,
    work: Work = Path("var/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
    start_from: StartFrom = None,
) -> None:
    """Trains the generator and publishes the pipeline."""
    from models.pocket.train_generator import GeneratorSettings, carried_on, train_generator
    from models.pocket.training import start_over

    start_over(resume, work / "generator.pt", work / "generator.jsonl")
    settings = GeneratorSettings(seed=seed)
    settings = carried_on(settings) if start_from else settings
    train_generator(out, work, minutes, settings, max_steps, threads, start_from=start_from)


@app.command()
def distill(
    *,
    minutes: Minutes = 20.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 2,
    seed: Seed = 0,
    work: Work = Path("var/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
    earlier: Annotated[
        Optional[tuple[Path, Path]],  # noqa: UP045 - typer on Python 3.10
        typer.Option(help="An earlier teacher and its student; what changed there is the beginning."),
    ] = None,
) -> None:
    """Distils the generator to a few steps without guidance and publishes the student in its place."""
    from models.pocket.distill import DistillationSettings
    from models.pocket.distill import distill as run
    from models.pocket.training import start_over

    start_over(resume, work / "distillation.pt", work / "distillation.jsonl")
    run(out, work, minutes, DistillationSettings(seed=seed), max_steps, threads, earlier=earlier)


@app.command()
def sheet(
    assets: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the sheet.")] = Path("assets/pocket"),
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 8,
    guidance: Annotated[float, typer.Option(help="Guidance scale.")] = 1.0,
) -> None:
    """Draws the contact sheet."""
    from models.pocket.sheet import make_sheet

    make_sheet(assets, out, steps, guidance)


@app.command()
def decoder(
    *,
    minutes: Minutes = 20.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 1,
    seed: Seed = 1,
    work: Work = Path("var/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
) -> None:
    """Trains only the decoder of the finished autoencoder further; its latents stay as they are."""
    from models.pocket.refine_decoder import RefineSettings, refine_decoder
    from models.pocket.training import start_over

    start_over(resume, work / "decoder.pt", work / "decoder.jsonl")
    refine_decoder(out, work, minutes, RefineSettings(seed=seed), max_steps=max_steps, threads=threads)


@app.command()
def upscaler(
    *,
    minutes: Minutes = 15.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 1,
    seed: Seed = 0,
    work: Work = Path("var/pocket"),
    out: Annotated[Path, typer.Option(help="Folder of the pipeline.")] = Path("assets/pocket"),
    start_from: StartFrom = None,
) -> None:
    """Trains the upscaler that draws the decoded clips twice as large."""
    from models.pocket.train_upscaler import UpscalerSettings, carried_on, train_upscaler
    from models.pocket.training import start_over

    start_over(resume, work / "upscaler.pt", work / "upscaler.jsonl")
    settings = UpscalerSettings(seed=seed)
    settings = carried_on(settings) if start_from else settings
    train_upscaler(out, work, minutes, settings, max_steps, threads, start_from)


@app.command()
def clip(
    *,
    minutes: Minutes = 10.0,
    max_steps: Steps = None,
    resume: Resume = True,
    threads: Threads = 1,
    seed: Seed = 0,
    work: Work = Path("var/pocket"),
    vae: Vae = Path("assets/pocket/vae"),
    out: Annotated[Path, typer.Option(help="Folder of the finished model.")] = Path("assets/pocket/clip"),
) -> None:
    """Trains the small CLIP that guides the search where no larger one is at hand."""
    from models.pocket.train_clip import ClipSettings, train_clip
    from models.pocket.training import start_over

    start_over(resume, work / "clip.pt", work / "clip.jsonl")
    train_clip(
        out, work, minutes, ClipSettings(seed=seed), vae_folder=vae, max_steps=max_steps, threads=threads
    )


if __name__ == "__main__":
    app()
