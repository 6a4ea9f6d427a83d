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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import download, placement, weights
from models.adapters import Adapters
from models.clip import Clip, Frames
from models.conditioning import Conditioning, Lora
from models.continuation import fit_picture, known_frames
from models.families import Family, family
from models.gguf_networks import Networks, with_networks
from models.memory import give_freed_memory_back
from models.placing import cleared_device, place
from models.prompt_memory import PromptMemory
from models.reading import Reading
from models.rough_decoder import RoughDecoder
from models.step_cache import takes_cache
from models.suspension import Pause, SuspendedCall, run_together
from models.tapped import Look, light_clone
from models.tiny_decoder import load_tiny_decoder
from models.turns import join_calls
from models.video_model import DenoisingRun, ModelCard, VideoModel

Decode = Callable[[Any, Any, torch.Tensor], Any]
"""`decode(pipeline, predicted, latents)` -> `[1, T, H, W, 3]` floats in `[0, 1]`; see `Family.decode`."""


NETWORKS = ("transformer", "transformer_2", "unet")
"""The parts of a pipeline that are asked once or twice a step."""


def shifted(scheduler: Any, shift: float) -> Any:
    """The scheduler with another timestep shift, which UniPC and DPM++ call `flow_shift`."""
    name = "flow_shift" if "flow_shift" in scheduler.config else "shift"
    return type(scheduler).from_config(scheduler.config, **{name: shift})


def authors_scheduler(name: str, scheduler: Any) -> Any:
    """The scheduler of that class, with the settings of the one that the checkpoint names."""
    import diffusers

    return getattr(diffusers, name).from_config(scheduler.config, timestep_spacing="trailing")


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
        generator_device: where the run's random numbers are drawn.
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
        generator_device: Any = "cpu",
    ) -> None:
        self.seed = seed
        self.num_inference_steps = num_inference_steps
        self._fps = fps
        self._passes = passes
        self._before = before or (lambda: None)
        self._decode, self._rough = decode, rough
        self._look = look = Look()
        self._clone = clone = light_clone(pipeline, look)
        clone.run_generator = generator = torch.Generator(generator_device).manual_seed(seed)
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
        if self._about_to(to_step):
            self._call.run_to(to_step * self._passes)

    @staticmethod
    def advance_together(runs: Sequence[DiffusersRun], to_step: int) -> None:
        """The same for several runs of one conditioning, whose calls of a joined network become one.

        Raises:
            ValueError, CancelledError, Exception: as `advance`, once the other runs are there.
        """
        due = [run for run in runs if run._about_to(to_step)]
        if due:
            run_together([run._call for run in due], to_step * due[0]._passes)

    def _about_to(self, to_step: int) -> bool:
        """Whether something is to be done to get there; if so, it can begin."""
        if to_step > self.num_inference_steps:
            raise ValueError(f"this run has {self.num_inference_steps} steps, not {to_step}")
        if due := to_step > self.step:
            self._before()
        return due

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
        tiny_decoder: small decoder that shows what a run is at; see `models.catalog.load_model`.
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
        tiny = None if tiny_decoder is None else load_tiny_decoder(tiny_decoder, vae, card.title)
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
        networks, kind = networks or {}, family(card.family)
        kind.check_installed(card)
        wanted = with_networks(card, networks)
        machine = placement.this_machine(device)
        where = placement.choose(wanted, machine, device, rounded=len(networks))
        if source is None and download.on_hub(card):
            placement.check_memory(wanted, where, machine, device, rounded=len(networks))
            source = download.fetch(card, tell, without=networks)
        dtype, pipeline_class = getattr(torch, where.dtype), kind.pipeline_class(card)
        if where.cache and not takes_cache(pipeline_class):
            why = f"{where.reason} Its steps are not cached, because the step cache does not know it."
            where = replace(where, cache=0.0, reason=why)
        pipeline = weights.load_pipeline(pipeline_class, card, source, dtype, where.storage, networks)
        if card.scheduler:
            pipeline.scheduler = authors_scheduler(card.scheduler, pipeline.scheduler)
        if card.shift is not None:
            pipeline.scheduler = shifted(pipeline.scheduler, card.shift)
        return cls(card, place(pipeline, where), where.reason, threads, tiny_decoder)

    def reading(self, prompt: str) -> Reading:
        """What is made of the words of a prompt; see `VideoModel.reading`."""
        return self._family.reading(self._pipeline, prompt)[1]

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
        prompt = card.check_prompt(prompt, has_guide=guide is not None)
        before = None
        if guide is not None:
            before, guide = known_frames(guide, card, height, width, num_frames)
        conditioning = Conditioning(
            prompt=self._family.reading(self._pipeline, prompt)[0],
            negative_prompt=negative_prompt.strip(),
            guidance_scale=card.check_guidance(guidance_scale, negative_prompt),
            height=height,
            width=width,
            num_frames=num_frames,
            guide=guide,
            before=before,
            last_image=None if last_image is None else fit_picture(last_image, height, width),
            loras=tuple(lora.as_it_is() for lora in loras),
            fps=card.fps,
            options=card.options,
        )
        self._adapters.use(conditioning.loras)
        with torch.no_grad(), cleared_device(self._pipeline), self._prompts.used(conditioning.loras):
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
            generator_device=self._family.generator_device(self._pipeline),
        )

    def advance(self, runs: Sequence[DenoisingRun], to_step: int) -> None:
        """Take several runs to a step with one call of the network for all; see `VideoModel.advance`.

        A step cache keeps what a run's last step left in the network, so with one they go on by themselves.
        """
        networks = [getattr(self._pipeline, name, None) for name in NETWORKS]
        if len(runs) == 1 or any(getattr(network, "is_cache_enabled", False) for network in networks):
            return super().advance(runs, to_step)
        for network in filter(None, networks):
            join_calls(network)
        return DiffusersRun.advance_together([run for run in runs if isinstance(run, DiffusersRun)], to_step)

    def close(self) -> None:
        """Free the weights. Runs that are not closed keep them."""
        self._pipeline, self._adapters = None, Adapters(None, self.card.title)
        self._prompts, self._rough = PromptMemory(None), RoughDecoder(None)
        give_freed_memory_back()
