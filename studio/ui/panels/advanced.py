"""The inputs that are out of the way until they are asked for."""

from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from models.video_model import ModelCard

STRATEGIES = [("k-step", "k-step"), ("Just one", "naive"), ("Brute force", "brute-force")]
PREVIEWS = [("Short run", "schedule"), ("First steps", "prefix")]


def build(card: "ModelCard", of: dict[str, dict[str, Any]], lora_files: list[str]) -> dict[str, Any]:
    """Place the inputs, by the names of `Composer`'s fields.

    Args:
        card: of the model that is chosen first.
        of: range and default of every slider.
        lora_files: names of the LoRA files that are there.
    """
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        end_upload = gr.UploadButton(
            "End with an image",
            file_types=["image"],
            type="filepath",
            size="sm",
            elem_id="upload-end",
            visible=card.takes_last_image,
        )
        loras = gr.Dropdown(
            lora_files,
            multiselect=True,
            allow_custom_value=True,
            label="LoRA",
            info="Write name:0.8 for another weight than 1.",
            elem_id="loras",
            visible=bool(lora_files),
        )
        strategy = gr.Radio(STRATEGIES, value="k-step", label="How to choose", elem_id="strategy")
        previews = gr.Radio(PREVIEWS, value="schedule", label="Kind of preview", elem_id="previews")
        guidance = gr.Slider(label="Guidance", elem_id="guidance", **of["guidance"])
        with gr.Row(elem_classes="pair"):
            seed = gr.Textbox(label="Seed", placeholder="New each time", max_lines=1, elem_id="seed")
            dice = gr.Button("Roll", size="sm", elem_id="dice")
        with gr.Row(elem_classes="pair"):
            width = gr.Slider(label="Width", elem_id="width", **of["width"])
            height = gr.Slider(label="Height", elem_id="height", **of["height"])
        frames = gr.Slider(label="Frames", elem_id="frames", **of["frames"])
        negative = gr.Textbox(card.negative_prompt, label="Keep away from", elem_id="negative")
        match_colours = gr.Checkbox(
            label="Match the colours of the frame before",
            info="Against colours that drift over many chunks.",
            elem_id="match-colours",
        )
        least_likeness = gr.Slider(
            0,
            0.95,
            0,
            step=0.05,
            label="Drift guard",
            info="A film that makes itself tries a chunk again whose likeness falls below this. 0 is off.",
            elem_id="least-likeness",
        )
    return {
        "end_upload": end_upload, "loras": loras, "strategy": strategy, "previews": previews,
        "guidance": guidance, "seed": seed, "dice": dice, "width": width, "height": height,
        "frames": frames, "negative": negative, "match_colours": match_colours,
        "least_likeness": least_likeness,
    }  # fmt: skip
