"""HunyuanVideo 1.5, by Tencent: from text, and from an image.

Sources: diffusers' page on HunyuanVideo 1.5, the defaults of its pipelines and of its guider.
"""

from dataclasses import replace

from models.video_model import ModelCard

TEXT = ModelCard(
    name="hunyuan-1.5",
    title="HunyuanVideo 1.5, 480p (8.3B)",
    family="hunyuan15",
    text_encoder_gb=16,
    pipeline_class="HunyuanVideo15Pipeline",
    source="hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v",
    licence="https://huggingface.co/tencent/HunyuanVideo-1.5/blob/main/LICENSE",
    parameters_b=8.3,
    fps=24,
    height=480,
    width=848,
    size_multiple=16,
    frame_stride=4,
    frame_offset=1,
    num_frames=121,
    max_frames=121,
    num_inference_steps=50,
    preview_steps=8,
    guidance_scale=6.0,
    tiling=True,
    takes_image=False,
    prefix_frames=0,
    partner="hunyuan-1.5-i2v",
    memory_gb=42,
    notes="From words alone; its image model continues the clip.",
)
IMAGE = replace(
    TEXT,
    name="hunyuan-1.5-i2v",
    title="HunyuanVideo 1.5 image to video, 480p (8.3B)",
    pipeline_class="HunyuanVideo15ImageToVideoPipeline",
    source="hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v",
    takes_text=False,
    takes_image=True,
    prefix_frames=1,
    partner="",
    notes="Animates an image at about 480p, in the shape of the image.",
)
CARDS = (TEXT, IMAGE)
