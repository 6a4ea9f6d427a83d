"""What differs between pipelines: one small module a family, none imports another.

A family module offers the functions of `Family`; `models.diffusers_run` finds it by `ModelCard.family`. What
`DEFAULTS` names it may leave out.
"""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace
from typing import Any, Protocol, cast

from models.conditioning import Conditioning
from models.reading import Reading
from models.video_model import ModelCard


class Family(Protocol):
    """What a module of this package offers."""

    def pipeline_class(self, card: ModelCard) -> type[Any]:
        """The pipeline class that loads the checkpoint; without it, diffusers' class of the card's name."""

    def check_installed(self, card: ModelCard) -> None:
        """Raises `InputError` if a package is missing, before anything is downloaded; without it, none is."""

    def reading(self, pipeline: Any, prompt: str) -> tuple[str, Reading]:
        """The prompt as it is encoded, and how that differs; without it, nothing is changed."""

    def encode(self, pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
        """Encode what is the same for all candidates: prompt embeds, guide latents."""

    def arguments(self, conditioning: Conditioning) -> dict[str, Any]:
        """The call's arguments, without steps, generator, callback and output type."""

    def decode(self, pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
        """Decode a predicted clean sample the way the pipeline decodes its own latents at the end.

        Args:
            pipeline: the pipeline.
            predicted: clean sample as the scheduler sees it.
            latents: latents after the step, as the pipeline hands them to its callback.
            conditioning: of the run.

        Returns:
            `[1, T, H, W, 3]` float array in `[0, 1]`, as `output_type="np"` gives it.
        """

    def variant(self, pipeline: Any, conditioning: Conditioning) -> Any:
        """The pipeline for this conditioning, over the same modules; without it, `pipeline` itself."""

    def result(self, output: Any, conditioning: Conditioning) -> Any:
        """The clip `[1, T, H, W, 3]` in what the call returned; without it, its `frames`."""

    def passes(self, conditioning: Conditioning) -> int:
        """How many times the call goes through its steps; without it, once."""

    def generator_device(self, pipeline: Any) -> Any:
        """Where a run draws its noise; without it, on the CPU, so that a seed is the same everywhere."""


def _named(card: ModelCard) -> type[Any]:
    import diffusers

    pipeline: type[Any] = getattr(diffusers, card.pipeline_class)
    return pipeline


DEFAULTS: dict[str, Any] = {
    "pipeline_class": _named,
    "check_installed": lambda card: None,
    "reading": lambda pipeline, prompt: (prompt, Reading()),
    "variant": lambda pipeline, conditioning: pipeline,
    "result": lambda output, conditioning: output.frames,
    "passes": lambda conditioning: 1,
    "generator_device": lambda pipeline: "cpu",
}


def family(name: str) -> Family:
    """The family module of that name, with what it leaves out filled in."""
    module = importlib.import_module(f"models.families.{name}")
    return cast(Family, SimpleNamespace(**{**DEFAULTS, **vars(module)}))


def over(pipeline: Any, kind: type[Any], **others: Any) -> Any:
    """A pipeline of another class over the same modules, which are offloaded as those of the first.

    Args:
        pipeline: loaded and placed.
        kind: a pipeline class with the same components, or fewer.
        others: components in place of the first one's, and settings.
    """
    taken = inspect.signature(kind).parameters
    own = kind(**{name: part for name, part in {**pipeline.components, **others}.items() if name in taken})
    for name in ("_all_hooks", "_offload_device", "_offload_gpu_id"):
        if hasattr(pipeline, name):
            setattr(own, name, getattr(pipeline, name))
    return own


def named_text_states(encoded: tuple[Any, Any, Any, Any]) -> dict[str, Any]:
    """What the `encode_prompt` of LTX and SANA-Video gives, by the names that their calls take it under."""
    names = (
        "prompt_embeds",
        "prompt_attention_mask",
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )
    return dict(zip(names, encoded, strict=True))


def with_decoder_noise(pipeline: Any, clean: Any, conditioning: Conditioning) -> tuple[Any, Any]:
    """Latents for a decoder that removes the last bit of noise itself (LTX), and its timestep or None.

    The pipeline draws that noise with the run's generator just before it decodes; here a copy of it does.
    """
    import torch
    from diffusers.utils.torch_utils import randn_tensor

    if not pipeline.vae.config.timestep_conditioning:
        return clean, None
    at = conditioning.options.get("decode_timestep", 0.0)
    timestep = torch.tensor([at], device=clean.device, dtype=clean.dtype)
    amount = conditioning.options.get("decode_noise_scale", at)
    amount = torch.tensor(amount, device=clean.device, dtype=clean.dtype)
    generator = pipeline.run_generator.clone_state()
    noise = randn_tensor(clean.shape, generator=generator, device=clean.device, dtype=clean.dtype)
    return (1 - amount) * clean + amount * noise, timestep
