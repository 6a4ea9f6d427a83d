"""SANA-Video, by NVIDIA and MIT HAN Lab.

Sources: diffusers' page on SANA-Video and the checkpoints' own files.
"""

from models.video_model import ModelCard

CARDS = (
    ModelCard(
        name="sana-video",
        title="SANA-Video 480p (2B)",
        family="sana_video",
        precise=("vae",),
        pipeline_class="SanaVideoPipeline",
        source="Efficient-Large-Model/SANA-Video_2B_480p_diffusers",
        licence="https://huggingface.co/Efficient-Large-Model/SANA-Video_2B_480p_diffusers",
        parameters_b=2,
        fps=16,
        height=480,
        width=832,
        size_multiple=32,
        frame_stride=4,
        frame_offset=1,
        num_frames=81,
        max_frames=81,
        num_inference_steps=50,
        preview_steps=8,
        guidance_scale=6.0,
        negative_prompt=(
            "A chaotic sequence with misshapen, deformed limbs in heavy motion blur, sudden disappearance, "
            "jump cuts, jerky movements, rapid shot changes, frames out of sync, inconsistent character "
            "shapes, temporal artifacts, jitter, and ghosting effects, creating a disorienting visual "
            "experience."
        ),
        text_encoder_gb=5,
        memory_gb=16,
        notes="Attention of linear cost: quick for its size. From words or an image.",
    ),
)
