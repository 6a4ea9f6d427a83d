"""What the generator is trained on: its settings, and batches of encoded clips with their captions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from models.pocket.emphasis import loss_weights
from models.pocket.generator import BEFORE_A_TURN
from models.pocket.latents import LatentSet
from models.pocket.text_encoder import load_text_encoder, text_states


@dataclass(frozen=True)
class GeneratorSettings:
    """How the generator is trained.

    Attributes:
        learning_rate: peak, for the matrices inside the blocks (Muon) and all else (AdamW).
        warmup: steps of linear warmup.
        clips, stills: batch sizes.
        stills_only: share of the budget that sees pictures only.
        stills_later: share of the steps after it that see pictures.
        turns: share of all steps that see clips which turn to something else after the frames given.
        continued: share of all steps that see clips of which some frames are given.
        drop_text: how often the caption is replaced by the empty one.
        faulty: share of a batch of clips whose given frames are as the generator itself would make them.
        subject_weight: how much the loss counts a cell with a subject against one without.
        text_tokens: captions are cut after this many tokens.
        ema: decay of the averaged weights.
        seed: of the weights, the noise and the order.
        compile: compile the blocks.
    """

    learning_rate: float = 1.5e-3
    warmup: int = 60
    clips: int = 32
    stills: int = 64
    stills_only: float = 0.45
    stills_later: float = 0.35
    turns: float = 0.1
    continued: float = 0.3
    drop_text: float = 0.1
    faulty: float = 0.25
    subject_weight: float = 3.0
    text_tokens: int = 24
    ema: float = 0.999
    seed: int = 0
    compile: bool = True


@dataclass(frozen=True)
class Batch:
    """What an update sees.

    Attributes:
        clean: latents [B, C, F, h, w].
        text, mask: text states [B, L, D] and which of them are real [B, L].
        weight: of each error, as the latents.
        known: latent frames that are given to all; None to draw them for each.
        lost: what coding takes from the first latent frames, added where they are given, [B, C, n, h, w];
            None for pictures.
    """

    clean: Tensor
    text: Tensor
    mask: Tensor
    weight: Tensor
    known: tuple[int, ...] | None = None
    lost: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return replace(
            self,
            clean=self.clean.to(device),
            text=self.text.to(device),
            mask=self.mask.to(device),
            weight=self.weight.to(device),
            lost=None if self.lost is None else self.lost.to(device),
        )


class TrainingSet:
    """Batches of latents with text states, drawn with a generator given by the caller.

    Args:
        latents: the clips and stills.
        assets: folder of the pipeline, for its text encoder.
        settings: of the training.
        channels: what each channel counts in the loss [C]; all alike if not given.
    """

    def __init__(
        self,
        latents: dict[str, LatentSet],
        assets: Path,
        settings: GeneratorSettings,
        channels: Tensor | None = None,
    ) -> None:
        self.latents, self.settings = latents, settings
        first = next(iter(latents.values())).latents
        self.channels = torch.ones(first.shape[1]) if channels is None else channels
        texts = sorted({text for kind in latents.values() for options in kind.captions for text in options})
        self.row = {text: index for index, text in enumerate(texts)}
        encoder, tokenizer = load_text_encoder(assets)
        states, masks = text_states(encoder, tokenizer, [*texts, ""])
        self.states, self.masks = states[:, : settings.text_tokens], masks[:, : settings.text_tokens]

    def text(self, captions: list[str | None]) -> tuple[Tensor, Tensor]:
        """States and mask of captions; None is the empty one."""
        rows = torch.tensor([len(self.row) if text is None else self.row[text] for text in captions])
        return self.states[rows].float(), self.masks[rows]

    def draw(self, kind: str, generator: torch.Generator, shares: int = 1) -> Batch:
        """One of so many shares of a batch of a kind of `latents`; at least one clip or picture each."""
        source = self.latents[kind]
        batch = self.settings.stills if kind == "stills" else self.settings.clips
        count = max(batch // shares, 1)  # the mean loss of nothing is NaN, and so are the weights after it
        picks = torch.randint(len(source.captions), (count,), generator=generator)
        dice = torch.rand(count, generator=generator).tolist()
        which = torch.randint(10_000, (count,), generator=generator).tolist()
        captions: list[str | None] = []
        for pick, chance, choice in zip(picks.tolist(), dice, which, strict=True):
            options = source.captions[pick]
            captions.append(None if chance < self.settings.drop_text else options[choice % len(options)])
        weight = loss_weights(source.subjects[picks], self.channels, self.settings.subject_weight)
        known = {"clips": (), "turns": BEFORE_A_TURN}.get(kind)
        lost = None if source.lost is None else source.lost[picks].float()
        return Batch(source.latents[picks].float(), *self.text(captions), weight, known, lost)
