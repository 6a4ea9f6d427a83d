"""Tiny random text and image encoders with tokenizers that spell, made offline."""

from __future__ import annotations

import string

import torch
from transformers import (
    CLIPImageProcessor,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

LETTERS = string.ascii_lowercase + string.digits + ".,'-"


def t5_tokenizer() -> T5Tokenizer:
    """Unigram, one piece a letter."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0)]
    return T5Tokenizer(vocab=[*pieces, *((letter, -2.0) for letter in LETTERS)], extra_ids=0)


def clip_tokenizer() -> CLIPTokenizer:
    """Byte pairs without merges, one token a letter."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)


def t5_encoder(width: int = 16) -> T5EncoderModel:
    """One layer; in evaluation mode, because dropout would make two runs differ."""
    return T5EncoderModel(T5Config(**_small(width))).eval()


def umt5_encoder(width: int = 16) -> UMT5EncoderModel:
    """One layer of the kind that Wan reads with."""
    return UMT5EncoderModel(UMT5Config(**_small(width))).eval()


def image_encoder(width: int = 16, *, projected: bool = False) -> torch.nn.Module:
    """A CLIP vision tower of two layers for 224 pixels, the size that pipelines hand it.

    Args:
        width: of its layers and of its projection.
        projected: with a projection to one embedding an image.
    """
    config = CLIPVisionConfig(
        hidden_size=width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * width,
        image_size=224,
        patch_size=32,
    )
    tower = CLIPVisionModelWithProjection if projected else CLIPVisionModel
    return tower(config).eval()


def image_processor() -> CLIPImageProcessor:
    """CLIP's own at its usual size."""
    return CLIPImageProcessor(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224})


def _small(width: int) -> dict[str, int]:
    return {
        "vocab_size": 4 + len(LETTERS),
        "d_model": width,
        "d_kv": width // 2,
        "d_ff": 2 * width,
        "num_layers": 1,
        "num_heads": 2,
    }
