"""AnimateDiff on Stable Diffusion 1.5, by Guo et al.

Sources: diffusers' page on AnimateDiff and the defaults of its pipeline, of FreeInit and of FreeNoise.
"""

from dataclasses import replace

from models.download import FILES
from models.video_model import ModelCard

CHECKPOINT = "SG161222/Realistic_Vision_V5.1_noVAE"
ADAPTER = "guoyww/animatediff-motion-adapter-v1-5-2"

PLAIN = ModelCard(
    name="animatediff",
    title="AnimateDiff (Stable Diffusion 1.5)",
    family="animatediff",
    pipeline_class="AnimateDiffPipeline",
    source=CHECKPOINT,
    parts={CHECKPOINT: FILES, ADAPTER: ("config.json", "*.safetensors")},
    licence="https://huggingface.co/SG161222/Realistic_Vision_V5.1_noVAE",
    fps=8,
    height=512,
    width=512,
    size_multiple=8,
    max_side=768,
    frame_stride=1,
    frame_offset=0,
    num_frames=16,
    min_frames=8,
    max_frames=16,
    num_inference_steps=25,
    steps_left_out=(1,),
    preview_steps=8,
    guidance_scale=7.5,
    negative_prompt="bad quality, worst quality",
    takes_image=False,
    prefix_frames=0,
    partner="svd-xt",
    parameters_b=1.3,
    float16=True,
    text_encoder_gb=0.3,
    memory_gb=10,
    notes="Small and quick, from words alone, the first 75 or so of a prompt; an image model continues it.",
)
FREE_INIT = replace(
    PLAIN,
    name="animatediff-freeinit",
    title="AnimateDiff with FreeInit",
    options={"free_init": {"num_iters": 3, "method": "butterworth"}},
    evaluations=(6, 3),
    notes="Steadier than AnimateDiff at three times the cost: FreeInit goes through the run three times.",
)
FREE_NOISE = replace(
    PLAIN,
    name="animatediff-freenoise",
    title="AnimateDiff with FreeNoise",
    options={"free_noise": {"context_length": 16, "context_stride": 4}},
    num_frames=32,
    min_frames=17,
    max_frames=64,
    memory_gb=14,
    notes="Longer clips than AnimateDiff's: windows of 16 frames share their noise.",
)
CARDS = (PLAIN, FREE_INIT, FREE_NOISE)
