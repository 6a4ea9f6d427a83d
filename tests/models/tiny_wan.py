"""A tiny random `WanPipeline` without text encoder: not our pipeline, prompt embeds as input."""

from typing import Any

import torch
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel


def tiny_wan(scheduler: Any = None) -> WanPipeline:
    torch.manual_seed(0)
    vae = AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=16,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )
    return WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=vae.eval(),
        transformer=transformer.eval(),
        scheduler=scheduler or FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def wan_arguments() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {
        "prompt_embeds": torch.randn(1, 8, 16, generator=generator),
        "negative_prompt_embeds": torch.randn(1, 8, 16, generator=generator),
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "guidance_scale": 4.0,
    }


def wan_decode(pipeline: WanPipeline, predicted: torch.Tensor, latents: torch.Tensor) -> Any:
    config = pipeline.vae.config
    mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(config.latents_std).view(1, -1, 1, 1, 1)
    video = pipeline.vae.decode(predicted / (1.0 / std) + mean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(video, output_type="np")
