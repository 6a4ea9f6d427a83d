"""Tiny random pipelines of the real classes, made offline, saved as ordinary diffusers folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from models.lingen import LinGenPipeline, LinGenTransformer3DModel, VideoUpscaler

LINGEN_SIZE = 64
LINGEN_FRAMES = 9


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer that spells words by letters."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,'-")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def tiny_vae() -> AutoencoderKLLTXVideo:
    """Causal, 16x in space and 4x in time, 8 channels: the compression of the embedded model."""
    return AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        layers_per_block=(1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        down_block_types=("LTXVideoDownBlock3D",) * 3,
        spatio_temporal_scaling=(True, True, False),
        decoder_spatio_temporal_scaling=(True, True, False),
        decoder_inject_noise=(False,) * 4,
        downsample_type=("conv",) * 3,
        upsample_residual=(False,) * 3,
        upsample_factor=(1,) * 3,
        patch_size=4,
    ).eval()


def tiny_transformer(**changes: Any) -> LinGenTransformer3DModel:
    """Four layers, one a scan order, with an output that is not zero."""
    config = {
        "in_channels": 8,
        "num_layers": 4,
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "text_embed_dim": 16,
        "ffn_dim": 32,
        "ssm_state_size": 8,
        "ssm_head_dim": 8,
        "window_size": (2, 2, 2),
        "review_window": (2, 2, 2),
        "sample_size": (3, 4, 4),
    }
    model = LinGenTransformer3DModel(**{**config, **changes})
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 0 and not parameter.any():
                parameter.normal_(std=0.2)
    return model.eval()


def tiny_lingen(path: str | Path, seed: int = 0, *, upscaled: bool = True) -> None:
    """Save a random LinGen pipeline; it makes 9 frames of 32x32 in well under a second."""
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    text_encoder = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
    ).eval()
    LinGenPipeline(
        vae=tiny_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=tiny_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=2.0),
        upscaler=VideoUpscaler(channels=8, num_blocks=1) if upscaled else None,
    ).save_pretrained(path)
