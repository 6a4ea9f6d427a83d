"""Text states and which of them are real, as the pipeline passes them on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

Embeds = tuple[Tensor, Tensor]
"""Text states [B, L, D] and their mask [B, L]."""


def with_mask(embeds: Tensor, mask: Tensor | None) -> Embeds:
    """Text states with their mask; all tokens are real if there is none."""
    return embeds, torch.ones(embeds.shape[:2], device=embeds.device) if mask is None else mask


def beyond(tokenizer: PreTrainedTokenizerBase, text: str, max_length: int) -> str:
    """What of a text is not read because it has more than `max_length` tokens; empty if all is."""
    tokens = tokenizer(text, add_special_tokens=True).input_ids
    if len(tokens) <= max_length:
        return ""
    return str(tokenizer.decode(tokens[max_length - 1 : -1]))


def spread(embeds: Embeds, batch: int) -> Embeds:
    """Repeat text states to the size of the batch.

    Raises:
        ValueError: if the batch is no multiple of them.
    """
    if batch % embeds[0].shape[0]:
        raise ValueError(
            f"{embeds[0].shape[0]} negative prompts were given for {batch} videos; give one, or one each."
        )
    times = batch // embeds[0].shape[0]
    return embeds[0].repeat_interleave(times, 0), embeds[1].repeat_interleave(times, 0)


def one_batch(first: Embeds, second: Embeds) -> Embeds:
    """Both one after the other; the shorter ones get tokens at their end that are not real."""
    longest = max(first[0].shape[1], second[0].shape[1])
    missing = [longest - states.shape[1] for states, _ in (first, second)]
    states = [F.pad(each[0], (0, 0, 0, more)) for each, more in zip((first, second), missing, strict=True)]
    masks = [F.pad(each[1], (0, more)) for each, more in zip((first, second), missing, strict=True)]
    return torch.cat([states[0].to(states[1]), states[1]]), torch.cat([masks[0].to(masks[1]), masks[1]])
