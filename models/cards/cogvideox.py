"""CogVideoX and CogVideoX1.5.

Sources: the table of models, the licence section and the command-line demo of github.com/zai-org/CogVideo;
diffusers' own defaults. The demo gives the models of 5B another scheduler than their checkpoints name, and
dynamic guidance with it. Of version 1.5 only the one from an image draws other sizes than its own.
"""

from dataclasses import replace

from models.video_model import ModelCard

LICENCE = "https://huggingface.co/THUDM/CogVideoX-5b/blob/main/LICENSE"


def unfinished_steps(most: int) -> tuple[int, ...]:
    """Numbers of steps, up to `most`, whose last step stops short of the clean clip.

    With trailing timesteps the last one is round(1000 / n) - 1, and the scheduler ends at a clean sample
    only if it is less than the step length floor(1000 / n).
    """
    return tuple(n for n in range(1, most + 1) if round(1000 / n) - 1 >= 1000 // n)


TEXT_5B = ModelCard(
    name="cogvideox-5b",
    title="CogVideoX 5B",
    family="cogvideox",
    pipeline_class="CogVideoXPipeline",
    source="THUDM/CogVideoX-5b",
    licence=LICENCE,
    parameters_b=5,
    fps=8,
    height=480,
    width=720,
    size_multiple=16,
    max_side=720,
    frame_stride=8,
    frame_offset=1,
    num_frames=49,
    max_frames=49,
    num_inference_steps=50,
    steps_left_out=unfinished_steps(100),
    preview_steps=8,
    guidance_scale=6.0,
    scheduler="CogVideoXDPMScheduler",
    options={"use_dynamic_cfg": True},
    tiling=True,
    takes_image=False,
    prefix_frames=0,
    partner="cogvideox-5b-i2v",
    text_encoder_gb=9,
    memory_gb=26,
    notes="Reads long, well described prompts.",
)
IMAGE_5B = replace(
    TEXT_5B,
    name="cogvideox-5b-i2v",
    title="CogVideoX 5B I2V",
    pipeline_class="CogVideoXImageToVideoPipeline",
    source="THUDM/CogVideoX-5b-I2V",
    licence="https://huggingface.co/THUDM/CogVideoX-5b-I2V/blob/main/LICENSE",
    fixed_size=True,
    takes_text=False,
    takes_image=True,
    prefix_frames=1,
    partner="",
    notes="Animates an image by a prompt, at 720x480 only.",
)
TEXT_15 = replace(
    TEXT_5B,
    name="cogvideox1.5-5b",
    title="CogVideoX1.5 5B",
    source="THUDM/CogVideoX1.5-5B",
    licence="https://huggingface.co/THUDM/CogVideoX1.5-5B/blob/main/LICENSE",
    fps=16,
    height=768,
    width=1360,
    max_side=1360,
    fixed_size=True,
    frame_stride=16,
    num_frames=81,
    max_frames=161,
    partner="cogvideox1.5-5b-i2v",
    memory_gb=40,
    notes="Twice the frame rate and a larger picture; 5 or 10 seconds.",
)

CARDS = (
    replace(
        TEXT_5B,
        name="cogvideox-2b",
        title="CogVideoX 2B",
        source="THUDM/CogVideoX-2b",
        licence="Apache-2.0",
        parameters_b=2,
        scheduler="",
        options={},
        float16=True,
        memory_gb=20,
        notes="The small one; its clips are continued by the 5B image model.",
    ),
    TEXT_5B,
    IMAGE_5B,
    TEXT_15,
    replace(
        TEXT_15,
        name="cogvideox1.5-5b-i2v",
        title="CogVideoX1.5 5B I2V",
        pipeline_class="CogVideoXImageToVideoPipeline",
        source="THUDM/CogVideoX1.5-5B-I2V",
        licence="https://huggingface.co/THUDM/CogVideoX1.5-5B-I2V/blob/main/LICENSE",
        fixed_size=False,
        takes_text=False,
        takes_image=True,
        prefix_frames=1,
        partner="",
        notes="Animates an image by a prompt, upright too; the authors advise a short side of 768.",
    ),
)
