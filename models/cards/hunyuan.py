"""HunyuanVideo, by Tencent: from text, and from an image.

Sources: diffusers' examples and the defaults of its pipelines.
"""

from dataclasses import replace

from models.video_model import ModelCard

TEXT = ModelCard(
    name="hunyuan",
    title="HunyuanVideo (13B)",
    family="hunyuan",
    text_encoder_gb=16,
    pipeline_class="HunyuanVideoPipeline",
    source="hunyuanvideo-community/HunyuanVideo",
    licence="https://huggingface.co/tencent/HunyuanVideo/blob/main/LICENSE",
    parameters_b=13,
    fps=24,
    height=720,
    width=1280,
    size_multiple=16,
    frame_stride=4,
    frame_offset=1,
    num_frames=129,
    max_frames=129,
    num_inference_steps=50,
    preview_steps=8,
    guidance_scale=6.0,
    takes_negative=False,
    evaluations=(1, 1),  # guidance is one of the network's inputs
    tiling=True,
    takes_image=False,
    prefix_frames=0,
    partner="hunyuan-i2v",
    memory_gb=60,
    notes="From words alone; its image model continues the clip.",
)
IMAGE = replace(
    TEXT,
    name="hunyuan-i2v",
    title="HunyuanVideo image to video (13B)",
    pipeline_class="HunyuanVideoImageToVideoPipeline",
    source="hunyuanvideo-community/HunyuanVideo-I2V",
    licence="https://huggingface.co/tencent/HunyuanVideo-I2V/blob/main/LICENSE",
    takes_text=False,
    takes_image=True,
    prefix_frames=1,
    partner="",
    notes="Animates an image; the words say how.",
)
CARDS = (TEXT, IMAGE)
