"""LTX-Video 0.9.5 to 0.9.8, by Lightricks.

Sources: diffusers' page on LTX-Video and the defaults of `LTXConditionPipeline`. A distilled checkpoint needs
no timesteps of its own: the pipeline's schedule of 8 steps is the one it was distilled for.
"""

from dataclasses import replace

from models.video_model import ModelCard

DECODER = {"decode_timestep": 0.05, "decode_noise_scale": 0.025}
"""The authors' time and share of noise for the decoder, which removes the last of the noise itself."""

LTX_095 = ModelCard(
    name="ltx-0.9.5",
    title="LTX-Video 0.9.5 (2B)",
    family="ltx",
    pipeline_class="LTXConditionPipeline",
    source="Lightricks/LTX-Video-0.9.5",
    licence="https://huggingface.co/Lightricks/LTX-Video-0.9.5",
    parameters_b=2,
    fps=25,
    height=512,
    width=704,
    size_multiple=32,
    max_side=1280,
    frame_stride=8,
    frame_offset=1,
    num_frames=161,
    max_frames=257,
    num_inference_steps=40,
    preview_steps=8,
    guidance_scale=3.0,
    negative_prompt="worst quality, inconsistent motion, blurry, jittery, distorted",
    options={**DECODER, "image_cond_noise_scale": 0.025},
    takes_last_image=True,
    prefix_frames=17,
    text_encoder_gb=9,
    memory_gb=18,
    notes="Fast, and continues from the last 17 frames.",
)
LTX_097 = replace(
    LTX_095,
    name="ltx-0.9.7",
    title="LTX-Video 0.9.7 (13B)",
    source="Lightricks/LTX-Video-0.9.7-dev",
    licence="https://huggingface.co/Lightricks/LTX-Video-0.9.7-dev",
    parameters_b=13,
    num_inference_steps=30,
    guidance_scale=5.0,
    options={**DECODER, "image_cond_noise_scale": 0.0, "guidance_rescale": 0.7},
    memory_gb=42,
    notes="The large LTX-Video; continues from the last 17 frames.",
)
LTX_DISTILLED = replace(
    LTX_097,
    name="ltx-0.9.8-distilled",
    title="LTX-Video 0.9.8 distilled (13B)",
    source="Lightricks/LTX-Video-0.9.8-13B-distilled",
    licence="https://huggingface.co/Lightricks/LTX-Video-0.9.8-13B-distilled",
    num_inference_steps=8,
    max_steps=10,
    preview_steps=4,
    guidance_scale=1.0,
    takes_guidance=False,
    takes_negative=False,
    negative_prompt="",
    notes="The large LTX-Video in 8 steps without guidance; continues from the last 17 frames.",
)
CARDS = (LTX_095, LTX_097, LTX_DISTILLED)
