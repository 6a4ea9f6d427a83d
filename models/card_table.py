"""The catalog as a page of documentation, made from the cards."""

from __future__ import annotations

from pathlib import Path

from models.cards import NOT_OFFERED
from models.catalog import CARDS
from models.video_model import ModelCard

COMMAND = "python -m models.catalog docs/models.md"
HEADINGS = (
    "Name",
    "Model",
    "Weights",
    "Licence",
    "Made from",
    "Length",
    "Size",
    "Steps",
    "Memory",
    "Continues",
)

INTRODUCTION = f"""# Models

This page is made from the cards in `models/cards` by `{COMMAND}`.

The embedded model comes with the studio; the others are fetched from the hub when they are first used, at the
commit named beside them, or else from the main branch. A size or length outside the limits is refused with a
sentence, never rounded.

- *Made from*: what the first chunk needs. For a model that animates an image, Stable Diffusion 1.5 or another
  text-to-image pipeline draws it from the prompt, if none is given.
- *Length*: the default number of frames, the lengths that are legal, and the frame rate.
- *Memory*: an estimate for all networks in 16 bits and one run, except for the embedded model.
- *Continues*: how the next chunk goes on from the one before: from its last frame, from several, or by
  another model.

"""


def page() -> str:
    """The whole page in Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(row(card) for card in CARDS.values())]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    missing = "\n".join(f"- **{name}**: {reason}" for name, reason in NOT_OFFERED.items())
    notes = "\n".join(f"- **{card.title}**: {card.notes}" for card in CARDS.values() if card.notes)
    return f"{INTRODUCTION}{table}\n\n## What they are good for\n\n{notes}\n\n## Not offered\n\n{missing}\n"


def row(card: ModelCard) -> tuple[str, ...]:
    """One line of the table."""
    billions = f"{card.parameters_b:g}B"
    parameters = f" ({billions})" if card.parameters_b and billions not in card.title else ""
    gate = "; accept it on the hub first" if card.gated else ""
    size = f"{card.width}x{card.height}" + (
        " only" if card.fixed_size else f", multiples of {card.size_multiple}"
    )
    return (
        f"`{card.name}`",
        card.title + parameters,
        weights(card),
        licence(card.licence) + gate,
        made_from(card),
        f"{card.num_frames} of {card.frame_rule} up to {card.max_frames}, {card.fps:g}/s",
        size,
        f"{card.num_inference_steps}, guidance {card.guidance_scale:g}",
        f"{card.memory_gb:g} GiB",
        continues(card),
    )


def weights(card: ModelCard) -> str:
    """Where they come from: a link to the hub, or this repository."""
    if Path(card.source).is_absolute():
        return "in this repository"
    commit = f" at `{card.revision_name}`" if card.revision else ""
    return f"[{card.source}](https://huggingface.co/{card.source}){commit}"


def licence(name: str) -> str:
    """An SPDX name as it is, a link as a link."""
    return f"[the authors']({name})" if name.startswith("https://") else name


def made_from(card: ModelCard) -> str:
    """What a first chunk can be made from."""
    words = "words" if card.reads_prompt else ""
    image = "first and last image" if card.needs_last_image else "image"
    ways = []
    if card.takes_text:
        ways.append(words)
    if card.takes_image:
        ways.append(f"{image} and {words}" if words else image)
    if card.takes_last_image and not card.needs_last_image:
        ways.append("first and last image")
    return "; ".join(ways)


def continues(card: ModelCard) -> str:
    """How the next chunk goes on."""
    if not card.takes_image:
        return f"by `{card.partner}`"
    if card.needs_last_image:
        return "from the last frame, towards a given one"
    if card.prefix_frames > 1:
        return f"from up to {card.prefix_frames} frames"
    if card.looks_back:
        return f"from the last frame, with a look at the {card.looks_back} before it"
    return "from the last frame"
