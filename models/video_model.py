"""The contract between whatever makes frames and whoever uses them.

Everything is a denoising run that can be looked into, suspended and carried on. A preview is a short run, a
candidate is a seed with its preview and scores, picking one pays for its full run, and the end of that run
conditions the next. The search, the extender and the page know nothing else of a model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.clip import Clip, Frames
from models.conditioning import Conditioning, Lora
from models.errors import InputError
from models.reading import Reading


@dataclass(frozen=True)
class ModelCard:
    """One checkpoint. Every limit on the page and in the CLI derives from it.

    Attributes:
        name: short name used in commands and projects, e.g. `pocket`.
        title: what the page shows.
        family: module of `models.families` that knows the pipeline's arguments.
        pipeline_class: class name of the diffusers pipeline.
        source: local folder or hub id.
        parts: what of which hub repositories is downloaded, as file patterns by hub id, where the pipeline is
            gathered from several; empty for one repository in the diffusers format.
        revision: commit or branch on the hub; empty for a local folder, or for the hub's main branch.
        licence: SPDX name or link of the weights' licence.
        gated: whether the hub asks to accept the licence before it hands out the weights.
        parameters_b: parameters of the denoising network, in billions, as its authors name it; 0 if unknown.
        networks: how many such networks it has, of which one at a time denoises.
        fps: frames per second the model was trained at.
        height, width: default size in pixels.
        size_multiple: both sizes are multiples of this many pixels.
        max_side: largest height or width in pixels.
        fixed_size: whether the default size is the only one (learned positions, or the authors say so).
        frame_stride, frame_offset: legal lengths are `frame_stride * n + frame_offset` frames.
        num_frames: default length of a chunk in frames.
        min_frames: least length of a chunk in frames; 0 for the first legal length above the offset.
        max_frames: greatest length of a chunk in frames.
        num_inference_steps: default number of denoising steps, s.
        max_steps: greatest number of steps offered.
        steps_left_out: numbers of steps that the scheduler does not carry to a clean sample.
        preview_steps: default k of a k-step preview.
        guidance_scale: default classifier-free guidance; 1 turns it off.
        takes_guidance, takes_negative: whether guidance can be chosen, and whether a negative prompt is read.
        negative_prompt: the authors' own, which the page and the command line begin with.
        evaluations: how often a step evaluates the network, with guidance above 1 and without.
        scheduler: class of the authors' scheduler (trailing timesteps), where the checkpoint names another.
        shift: the authors' timestep shift of the flow; None keeps the checkpoint's own.
        precise: parts of the pipeline that stay in 32 bits, as the authors have them.
        options: further arguments of the pipeline's call with the authors' values, by name.
        takes_text, takes_image: what a first chunk can be made from: words alone, or a guide image.
        takes_last_image, needs_last_image: whether the chunk can, or must, be led to a given last frame.
        reads_prompt: whether words steer the clip at all.
        prefix_frames: how many frames at the end of a chunk condition the next one; 1 is the last frame only,
            0 a model that makes clips from words alone.
        looks_back: how many frames before those the model looks at as well, if the film has so many; the next
            chunk does not repeat them.
        partner: name of the image-to-video card that continues the clips of a card with `prefix_frames` 0.
        float16: whether the authors have it in float16, for devices that do not calculate in bfloat16.
        tiling: whether its decoder takes tiles wherever it runs, as the memory that it needs grows too fast.
        memory_gb: memory needed for weights and one run, in GiB; an estimate except for the embedded model.
        text_encoder_gb: of that, the largest text encoder in 16 bits.
        max_prompt_chars: longest prompt taken, in characters.
        notes: one sentence on what it is good for.
    """

    name: str
    title: str
    family: str
    pipeline_class: str
    source: str
    licence: str
    fps: float
    height: int
    width: int
    size_multiple: int
    frame_stride: int
    frame_offset: int
    num_frames: int
    max_frames: int
    num_inference_steps: int
    preview_steps: int
    guidance_scale: float
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: str = ""
    gated: bool = False
    parameters_b: float = 0.0
    networks: int = 1
    max_side: int = 1280
    fixed_size: bool = False
    min_frames: int = 0
    max_steps: int = 100
    steps_left_out: tuple[int, ...] = ()
    takes_guidance: bool = True
    takes_negative: bool = True
    negative_prompt: str = ""
    evaluations: tuple[int, int] = (2, 1)
    scheduler: str = ""
    shift: float | None = None
    precise: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    takes_text: bool = True
    takes_image: bool = True
    takes_last_image: bool = False
    needs_last_image: bool = False
    reads_prompt: bool = True
    prefix_frames: int = 1
    looks_back: int = 0
    partner: str = ""
    float16: bool = False
    tiling: bool = False
    text_encoder_gb: float = 11.0
    memory_gb: float = 1.0
    max_prompt_chars: int = 2000
    notes: str = ""

    @property
    def revision_name(self) -> str:
        """The first eight digits of a commit, or the name of a branch."""
        return self.revision if "/" in self.revision else self.revision[:8]

    def check_num_frames(self, num_frames: int) -> int:
        """Return `num_frames` if it is a legal length.

        Raises:
            InputError: naming the nearest legal lengths.
        """
        stride, offset = self.frame_stride, self.frame_offset
        least = self.min_frames or stride + offset
        if (num_frames - offset) % stride == 0 and least <= num_frames <= self.max_frames:
            return num_frames
        below = (num_frames - offset) // stride * stride + offset
        near = sorted({min(max(n, least), self.max_frames) for n in (below, below + stride)})
        raise InputError(
            f"{self.title} makes {self.frame_rule}, at least {least} and at most {self.max_frames}; "
            f"{num_frames} is not such a length. Try {' or '.join(map(str, near))}."
        )

    @property
    def frame_rule(self) -> str:
        """Legal lengths in words, e.g. `4n+1 frames`."""
        stride = f"{self.frame_stride}n" if self.frame_stride > 1 else "any number of"
        offset = f"+{self.frame_offset}" if self.frame_offset and self.frame_stride > 1 else ""
        return f"{stride}{offset} frames"

    def check_size(self, height: int, width: int) -> tuple[int, int]:
        """Return `(height, width)` if both are legal.

        Raises:
            InputError: naming the rule.
        """
        if self.fixed_size and (height, width) != (self.height, self.width):
            raise InputError(
                f"{self.title} draws {self.width}x{self.height} pixels only, not {width}x{height}. "
                f"Choose {self.width}x{self.height}."
            )
        for side in (height, width):
            if side % self.size_multiple or not self.size_multiple <= side <= self.max_side:
                raise InputError(
                    f"{self.title} draws sizes that are multiples of {self.size_multiple} pixels, at most "
                    f"{self.max_side}; {width}x{height} is not. Try {self.width}x{self.height}."
                )
        return height, width

    def check_steps(self, num_inference_steps: int, preview_steps: int | None = None) -> None:
        """Check s and, where given, k.

        Raises:
            InputError: if s is outside `1..max_steps`, k outside `1..s`, or one of them is left out.
        """
        if not 1 <= num_inference_steps <= self.max_steps:
            raise InputError(
                f"{self.title} takes 1 to {self.max_steps} steps, not {num_inference_steps}. "
                f"Try {self.num_inference_steps}."
            )
        if preview_steps is not None and not 1 <= preview_steps <= num_inference_steps:
            raise InputError(
                f"A preview takes 1 to {num_inference_steps} steps (the number of steps of the full run), "
                f"not {preview_steps}. Lower k or raise the steps."
            )
        for steps in (num_inference_steps, preview_steps):
            if steps in self.steps_left_out:
                others = (*range(steps, 0, -1), *range(steps, self.max_steps + 1))
                near = next(n for n in others if n not in self.steps_left_out)
                raise InputError(
                    f"The scheduler of {self.title} does not arrive at a clean clip in {steps} steps. "
                    f"Try {near}."
                )

    def check_guides(self, *, has_guide: bool, has_last_image: bool = False) -> None:
        """Check that the model can be conditioned on what is given.

        Raises:
            InputError: if a picture is missing, or given to a model that takes none.
        """
        if has_guide and not self.takes_image:
            after = f"continue with the model {self.partner!r}" if self.partner else "choose another model"
            raise InputError(f"{self.title} makes clips from words alone. Remove the image, or {after}.")
        if not has_guide and not self.takes_text:
            raise InputError(f"{self.title} animates an image. Give a guide image, or choose another model.")
        if has_last_image and not self.takes_last_image:
            raise InputError(f"{self.title} takes no last image. Remove it, or choose another model.")
        if self.needs_last_image and not has_last_image:
            raise InputError(
                f"{self.title} fills in between two images. Give a last image too, or choose another model."
            )
        if has_last_image and not has_guide:
            raise InputError("A last image needs a first one. Give a guide image too.")

    def check_guidance(self, guidance_scale: float | None, negative_prompt: str = "") -> float:
        """The guidance scale, or the card's where it is None.

        Raises:
            InputError: if it is below 1, above 30 or not a number, if the model takes no such thing, or if
                there is a negative prompt that it would not read, other than the authors' own.
        """
        scale = self.guidance_scale if guidance_scale is None else float(guidance_scale)
        if not self.takes_guidance and scale != self.guidance_scale:
            raise InputError(
                f"{self.title} was made for a guidance scale of {self.guidance_scale:g}, not {scale:g}. "
                f"Leave it at {self.guidance_scale:g}."
            )
        if not 1 <= scale <= 30:
            raise InputError(
                f"The guidance scale is between 1 (off) and 30, not {scale:g}. Try {self.guidance_scale:g}."
            )
        if negative_prompt.strip() and not self.takes_negative:
            raise InputError(f"{self.title} reads no negative prompt. Leave it empty.")
        if negative_prompt.strip() not in ("", self.negative_prompt) and scale == 1:
            raise InputError(
                "A negative prompt is read with guidance only. Raise the guidance scale above 1, e.g. to 2, "
                "or leave the negative prompt empty."
            )
        return scale

    def check_prompt(self, prompt: str, *, has_guide: bool = False) -> str:
        """Return the prompt without outer blanks.

        Raises:
            InputError: if it is empty though nothing else guides the run, or longer than `max_prompt_chars`.
        """
        prompt = prompt.strip()
        if not prompt and not has_guide:
            raise InputError("The prompt is empty. Say in a few words what the video shows.")
        if len(prompt) > self.max_prompt_chars:
            raise InputError(
                f"The prompt has {len(prompt)} characters; {self.title} takes at most "
                f"{self.max_prompt_chars}. Shorten it to what is seen and what moves."
            )
        return prompt


class DenoisingRun(ABC):
    """One initial noise on its way to a clip.

    On one device the seed, the conditioning and the number of steps determine a run exactly; a run that was
    suspended and carried on gives bit for bit the clip of an undisturbed one.
    """

    seed: int
    num_inference_steps: int

    @property
    @abstractmethod
    def step(self) -> int:
        """How many of the `num_inference_steps` are done."""

    @abstractmethod
    def advance(self, to_step: int) -> None:
        """Denoise until `to_step` steps are done, then suspend. Does nothing if they already are.

        Raises:
            ValueError: if `to_step` is above `num_inference_steps`, or the run was closed.
        """

    @abstractmethod
    def preview(self) -> Clip:
        """Decode the prediction of the clean clip at the current step. Needs at least one step done."""

    def glimpse(self) -> Clip | None:
        """Like `preview`, but for next to nothing: small and rough. None where that cannot be had (yet)."""
        return None

    @abstractmethod
    def finish(self) -> Clip:
        """Do what is left of the run and decode it. May be called again; the clip is the same."""

    @abstractmethod
    def close(self) -> None:
        """Let go of latents and threads. Safe to call twice."""


class VideoModel(ABC):
    """A loaded checkpoint."""

    card: ModelCard
    placement_reason: str = ""
    """Where it runs and why, in a sentence."""

    def reading(self, prompt: str) -> Reading:
        """What the model makes of the words of a prompt."""
        del prompt
        return Reading()

    @abstractmethod
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
        """Check and encode all that steers a segment. What is None is taken from the card.

        Args:
            prompt: what is seen and what moves.
            negative_prompt: what to keep away from.
            guide: `[n, H, W, 3]` uint8, resized and cropped to the size of the run; n = 1 is a guide image,
                n > 1 the end of the chunk before, at most `card.prefix_frames`
                and `card.looks_back`.
            last_image: `[H, W, 3]` uint8 picture to end with, where `card.takes_last_image`.
            loras: LoRA files for this model, each with its weight.
            guidance_scale: classifier-free guidance, >= 1.
            height, width: pixels.
            num_frames: length of the chunk, guide frames included.

        Raises:
            InputError: if something is outside the limits of the card.
        """

    @abstractmethod
    def begin(self, conditioning: Conditioning, seed: int, num_inference_steps: int) -> DenoisingRun:
        """Draw the initial noise of `seed` and stand before the first step.

        Raises:
            InputError: if the number of steps is outside the limits of the card.
        """

    def advance(self, runs: Sequence[DenoisingRun], to_step: int) -> None:
        """Take runs of one conditioning and equally many steps to `to_step`, at once if the model can.

        What comes out differs from runs that go on alone by the rounding of larger batches, and no more.

        Raises:
            ValueError, Exception: as `DenoisingRun.advance`.
        """
        for run in runs:
            run.advance(to_step)

    @abstractmethod
    def close(self) -> None:
        """Free the weights."""


class Scorer(ABC):
    """How good is a rough clip: one number a clip, higher is better."""

    name: str

    @abstractmethod
    def score(self, clip: Clip, conditioning: Conditioning) -> float | None:
        """Score a clip; None where this scorer has nothing to say (no guide frame, no prompt)."""
