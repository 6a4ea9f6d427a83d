"""Any diffusers pipeline as denoising runs that can be looked into, suspended and carried on.

A run is the ordinary pipeline call in a thread of its own, on a light clone of the pipeline: the same
modules, its own scheduler. The clone waits in `callback_on_step_end`, or in its scheduler's step where the
pipeline does not call back. Nothing of the pipeline is taken apart,
so a run that was suspended gives bit for bit the clip of an undisturbed call, whatever its scheduler carries.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from models import download, placement, weights
from models.adapters import Adapters
from models.clip import Clip, Frames
from models.continuation import fit_guide, fit_picture
from models.families import Family, family
from models.gguf_networks import Networks, with_networks
from models.placing import place
from models.prompt_memory import PromptMemory
from models.rough_decoder import RoughDecoder
from models.step_cache import takes_cache
from models.suspension import Pause, SuspendedCall
from models.tiny_decoder import TinyDecoder
from models.video_model import Conditioning, DenoisingRun, Lora, ModelCard, VideoModel

Decode = Callable[[Any, Any, torch.Tensor], Any]
"""`decode(pipeline, predicted, latents)` -> `[1, T, H, W, 3]` floats in `[0, 1]`; see `Family.decode`."""


@dataclass
class Look:
    """What can be seen of a run after a step.

    Attributes:
        predicted: the clean sample that the scheduler foresees, or None where it does not tell.
        latents: after the step.
        parts: one look for each copy that the pipeline makes of the scheduler, in their order (one a latent
            frame, or one for a sound track).
        after_step: called by the scheduler with each new sample; for pipelines that do not call back.
    """

    predicted: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    parts: list[Look] = field(default_factory=list)
    after_step: Callable[[torch.Tensor], None] | None = None

    def __deepcopy__(self, _: dict[int, Any]) -> Look:
        """The look of a copied scheduler: it sees its own part and disturbs no other."""
        self.parts.append(Look())
        return self.parts[-1]

    def clear(self) -> None:
        """Let go of the tensors."""
        self.predicted = self.latents = self.after_step = None
        self.parts.clear()


def predicted_clean_sample(scheduler: Any, passed: dict[str, Any], output: Any) -> torch.Tensor | None:
    """The clean sample x0 that a scheduler foresees, just after its step.

    Flow matching (Lipman et al. 2023) predicts the velocity v = noise - x0, so x0 = x - sigma * v. Schedulers
    with multistep history keep x0; the others return it.

    Args:
        scheduler: after the step.
        passed: arguments of the step by name.
        output: of the step.
    """
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        sample, velocity = passed["sample"].float(), passed["model_output"]
        if (timesteps := passed.get("per_token_timesteps")) is not None:
            # in this form diffusers takes the velocity with the opposite sign
            return sample + timesteps[..., None] / scheduler.config.num_train_timesteps * velocity
        return (sample - scheduler.sigmas[scheduler.step_index - 1] * velocity).to(velocity.dtype)
    if (foreseen := getattr(output, "pred_original_sample", None)) is not None:
        return foreseen
    if outputs := getattr(scheduler, "model_outputs", None):
        return outputs[-1]
    if isinstance(output, tuple) and len(output) > 1:
        return output[1]
    return None


@functools.cache
def tapped(scheduler_class: Any) -> Any:
    """A subclass whose every step leaves its predicted clean sample in `look`.

    A subclass with the same signature, because pipelines test for classes and read signatures.
    """
    signature = inspect.signature(scheduler_class.step)

    @functools.wraps(scheduler_class.step)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = scheduler_class.step(self, *args, **kwargs)
        passed = signature.bind(self, *args, **kwargs).arguments
        self.look.predicted = predicted_clean_sample(self, passed, output)
        if self.look.after_step is not None:
            self.look.after_step(output[0])
        return output

    return type(scheduler_class.__name__, (scheduler_class,), {"step": step})


def light_clone(pipeline: Any, look: Look) -> Any:
    """The same modules with a scheduler of its own, which leaves what it foresees in `look`."""
    clone = copy.copy(pipeline)
    scheduler = copy.deepcopy(pipeline.scheduler)
    scheduler_class: Any = type(scheduler)
    scheduler.__class__ = tapped(scheduler_class)
    scheduler.look = look
    clone.scheduler = scheduler
    clone.set_progress_bar_config(disable=True)
    return clone


def shifted(scheduler: Any, shift: float) -> Any:
    """The scheduler with another timestep shift, which UniPC and DPM++ call `flow_shift`."""
    name = "flow_shift" if "flow_shift" in scheduler.config else "shift"
    return type(scheduler).from_config(scheduler.config, **{name: shift})


def to_frames(video: Any) -> Frames:
    """`[1, T, H, W, 3]` floats in `[0, 1]` as a pipeline gives them -> `[T, H, W, 3]` uint8."""
    frames = np.asarray(video, dtype=np.float32)[0]
    return (frames.clip(0, 1) * 255).round().astype(np.uint8)


class DiffusersRun(DenoisingRun):
    """One call of a pipeline, suspended between its steps.

    The thread begins with the first step. Driven straight to its end a run costs what the call costs.

    Args:
        pipeline: any diffusers pipeline; it is not changed.
        arguments: of its call, without steps, generator, callback and output type.
        decode: how the pipeline decodes latents; used for previews only. The pipeline that it is given has
            the run's generator as `run_generator`, to copy from.
        seed: of the initial noise.
        num_inference_steps: steps of the call, >= 1.
        fps: of the clips.
        result: takes the clip out of what the call returns.
        passes: how many times the call goes through its steps; a step is done when its passes are.
        before: called whenever the run is about to go on, e.g. to switch its LoRA files on.
        threads: CPU threads of the call; None takes those that a new thread gets.
        rough: stands in for the decoder where a look must cost nothing.
    """

    def __init__(
        self,
        pipeline: Any,
        arguments: dict[str, Any],
        decode: Decode,
        *,
        seed: int,
        num_inference_steps: int,
        fps: float,
        result: Callable[[Any], Any] = operator.attrgetter("frames"),
        passes: int = 1,
        before: Callable[[], None] | None = None,
        threads: int | None = None,
        rough: RoughDecoder | None = None,
    ) -> None:
        self.seed = seed
        self.num_inference_steps = num_inference_steps
        self._fps = fps
        self._passes = passes
        self._before = before or (lambda: None)
        self._decode, self._rough = decode, rough
        self._look = look = Look()
        self._clone = clone = light_clone(pipeline, look)
        clone.run_generator = generator = torch.Generator("cpu").manual_seed(seed)
        self._clip: Clip | None = None

        def call(pause: Pause) -> Frames:
            if threads is not None:
                placement.use_threads(threads)
            marks = itertools.count(1)

            def after_step(latents: torch.Tensor) -> None:
                look.latents = latents
                pause(next(marks))

            def called_back(_: Any, __: int, ___: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                after_step(tensors["latents"])
                return {}

            callback = {}
            if "callback_on_step_end" in inspect.signature(type(clone).__call__).parameters:
                callback["callback_on_step_end"] = called_back
            else:
                look.after_step = after_step
            try:
                output = clone(
                    **arguments,
                    **callback,
                    num_inference_steps=num_inference_steps,
                    generator=generator,
                    output_type="np",
                )
            finally:
                clone.maybe_free_model_hooks()  # caches must not outlive a call that was broken off
            return to_frames(result(output))

        self._call = SuspendedCall(call, name=f"run-{seed}")

    @property
    def step(self) -> int:
        """How many steps are done."""
        return self._call.mark // self._passes

    def advance(self, to_step: int) -> None:
        """Denoise until `to_step` steps are done, then suspend.

        Raises:
            ValueError: if `to_step` is above the number of steps, or the run was closed.
            CancelledError: if the run is closed from another thread meanwhile.
            Exception: what the pipeline raised.
        """
        if to_step > self.num_inference_steps:
            raise ValueError(f"this run has {self.num_inference_steps} steps, not {to_step}")
        if to_step > self.step:
            self._before()
            self._call.run_to(to_step * self._passes)

    @torch.no_grad()
    def preview(self) -> Clip:
        """Decode the prediction of the clean clip at the current step.

        Raises:
            ValueError: if no step is done, the run was closed, or the scheduler does not foresee.
        """
        return self._clip or self._decoded(self._clone)

    @torch.no_grad()
    def glimpse(self) -> Clip | None:
        """The same, small and without the decoder; see `DenoisingRun.glimpse`."""
        if self._clip is not None or self._rough is None or not self._rough.ready:
            return self._clip
        pipeline = copy.copy(self._clone)
        # by the pipeline's own setter they would be registered in its configuration
        object.__setattr__(pipeline, "vae", self._rough.stand_in())
        object.__setattr__(pipeline, "upscaler", None)
        return self._decoded(pipeline)

    def _decoded(self, pipeline: Any) -> Clip:
        predicted, latents = self._look.predicted, self._look.latents
        if latents is None or (predicted is None and not self._look.parts):
            raise ValueError("there is nothing to preview: the run was closed or has no step done")
        return Clip(to_frames(self._decode(pipeline, predicted, latents)), self._fps)

    def finish(self) -> Clip:
        """Do what is left of the run and decode it; the pipeline itself decodes.

        Raises:
            ValueError, CancelledError, Exception: as `advance`.
        """
        if self._clip is None:
            self._before()
            self._clip = Clip(self._call.result(), self._fps)
        return self._clip

    def close(self) -> None:
        """End the thread and let go of the latents. A clip that was finished stays. Safe to call twice."""
        self._call.close()
        self._look.clear()


class DiffusersModel(VideoModel):
    """A loaded diffusers pipeline with its card.

    Args:
        card: of the checkpoint.
        pipeline: loaded and placed.
        reason: why it was placed where it is, one sentence.
        threads: CPU threads of its runs; None takes those that a new thread gets.
        tiny_decoder: folder or hub id of an `AutoencoderTiny` that shows what a run is at.
    """

    def __init__(
        self,
        card: ModelCard,
        pipeline: Any,
        reason: str = "",
        threads: int | None = None,
        tiny_decoder: Path | str | None = None,
    ) -> None:
        self.card = card
        self._threads = threads
        self.placement_reason = reason
        self._pipeline = pipeline
        self._adapters, self._prompts = Adapters(pipeline, card.title), PromptMemory(pipeline)
        self._family: Family = family(card.family)
        vae = getattr(pipeline, "vae", None)
        tiny = None if tiny_decoder is None else TinyDecoder.load(tiny_decoder, vae, card.title)
        self._rough = RoughDecoder(vae, tiny)

    @classmethod
    def load(
        cls,
        card: ModelCard,
        *,
        device: placement.Wishes | str | None = None,
        source: Path | str | None = None,
        tell: Callable[[str], None] | None = None,
        threads: int | None = None,
        networks: Networks | None = None,
        tiny_decoder: Path | str | None = None,
    ) -> DiffusersModel:
        """Load a checkpoint; see `models.catalog.load_model`."""
        networks = networks or {}
        wanted = with_networks(card, networks)
        where = placement.choose(wanted, placement.this_machine(), device, rounded=bool(networks))
        if source is None and download.on_hub(card):
            source = download.fetch(card, tell, without=networks)
        dtype, pipeline_class = getattr(torch, where.dtype), family(card.family).pipeline_class(card)
        if where.cache and not takes_cache(pipeline_class):
            why = f"{where.reason} Its steps are not cached, because the step cache does not know it."
            where = replace(where, cache=0.0, reason=why)
        pipeline = weights.load_pipeline(pipeline_class, card, source, dtype, where.storage, networks)
        if card.shift is not None:
            pipeline.scheduler = shifted(pipeline.scheduler, card.shift)
        return cls(card, place(pipeline, where), where.reason, threads, tiny_decoder)

    def encode(
        self,
        prompt: str,
        *,
        negative_prompt: str = "",
        guide: Frames | None = None,
        last_image: Frames | None = None,
        loras: Sequence[Lora] = (),
        guidance_scale: float | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
    ) -> Conditioning:
        """Check and encode all that steers a segment; see `VideoModel.encode`."""
        card = self.card
        height, width = card.check_size(height or card.height, width or card.width)
        num_frames = card.check_num_frames(num_frames or card.num_frames)
        card.check_guides(has_guide=guide is not None, has_last_image=last_image is not None)
        conditioning = Conditioning(
            prompt=card.check_prompt(prompt, has_guide=guide is not None),
            negative_prompt=negative_prompt.strip(),
            guidance_scale=card.check_guidance(guidance_scale, negative_prompt),
            height=height,
            width=width,
            num_frames=num_frames,
            guide=None if guide is None else fit_guide(guide, card, height, width, num_frames),
            last_image=None if last_image is None else fit_picture(last_image, height, width),
            loras=tuple(loras),
            fps=card.fps,
            options=card.options,
        )
        self._adapters.use(conditioning.loras)
        with torch.no_grad(), self._prompts.used(conditioning.loras):
            conditioning.encoded.update(self._family.encode(self._pipeline, conditioning))
        return conditioning

    def begin(self, conditioning: Conditioning, seed: int, num_inference_steps: int) -> DiffusersRun:
        """Stand before the first step of the initial noise of `seed`; see `VideoModel.begin`."""
        self.card.check_steps(num_inference_steps)
        return DiffusersRun(
            self._family.variant(self._pipeline, conditioning),
            self._family.arguments(conditioning),
            functools.partial(self._family.decode, conditioning=conditioning),
            seed=seed,
            num_inference_steps=num_inference_steps,
            fps=self.card.fps,
            result=functools.partial(self._family.result, conditioning=conditioning),
            passes=self._family.passes(conditioning),
            before=functools.partial(self._adapters.use, conditioning.loras),
            threads=self._threads,
            rough=self._rough,
        )

    def close(self) -> None:
        """Free the weights. Runs that are not closed keep them."""
        self._pipeline, self._adapters = None, Adapters(None, self.card.title)
        self._prompts, self._rough = PromptMemory(None), RoughDecoder(None)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
