"""Stable Video Diffusion.

Sources: the model cards of stabilityai/stable-video-diffusion-img2vid and -xt; diffusers' own defaults for
steps, guidance, motion bucket and noise augmentation; `decode_chunk_size` as in diffusers' guide to SVD.
"""

from dataclasses import replace

from models.video_model import ModelCard

XT = ModelCard(
    name="svd-xt",
    title="Stable Video Diffusion XT",
    family="svd",
    pipeline_class="StableVideoDiffusionPipeline",
    source="stabilityai/stable-video-diffusion-img2vid-xt",
    licence="https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt/blob/main/LICENSE",
    parameters_b=1.5,
    fps=7,
    height=576,
    width=1024,
    size_multiple=64,
    max_side=1024,
    frame_stride=1,
    frame_offset=0,
    min_frames=2,
    num_frames=25,
    max_frames=25,
    num_inference_steps=25,
    preview_steps=8,
    guidance_scale=3.0,
    takes_negative=False,
    takes_text=False,
    reads_prompt=False,
    options={"motion_bucket_id": 127, "noise_aug_strength": 0.02, "decode_chunk_size": 8},
    float16=True,
    text_encoder_gb=1.3,
    memory_gb=16,
    notes="Animates one image without words; a prompt only ranks its candidates.",
)

CARDS = (
    XT,
    replace(
        XT,
        name="svd",
        title="Stable Video Diffusion",
        source="stabilityai/stable-video-diffusion-img2vid",
        licence="https://huggingface.co/stabilityai/stable-video-diffusion-img2vid/blob/main/LICENSE",
        num_frames=14,
        max_frames=14,
        notes="The first one, made for 14 frames.",
    ),
)
