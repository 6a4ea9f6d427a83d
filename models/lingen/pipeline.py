"""Text, an image, a few frames or keyframes -> video, with LinGen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo, DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from diffusers.utils import logging
from diffusers.utils.torch_utils import randn_tensor
from diffusers.video_processor import VideoProcessor
from torch import Tensor
from torch.nn.functional import avg_pool3d
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.lingen.embeds import Embeds, beyond, one_batch, spread, with_mask
from models.lingen.given import in_rgb, place
from models.lingen.pipeline_output import LinGenPipelineOutput
from models.lingen.stepping import Generators, check_scheduler, stepped
from models.lingen.transformer import LinGenTransformer3DModel
from models.lingen.upscaler import VideoUpscaler

logger = logging.get_logger(__name__)
OUTPUT_TYPES = ("pil", "np", "pt", "latent")


class LinGenPipeline(DiffusionPipeline):
    """Rectified flow over the latents of a causal video autoencoder, one timestep per latent frame.

    Given frames (an image, the first frames of a video, a last image) are encoded, stand at timestep 0 and
    stay exactly as they are, while the other latent frames are denoised.

    Args:
        vae: autoencoder with `latents_mean` and `latents_std`.
        text_encoder: any encoder with `last_hidden_state`.
        tokenizer: its tokenizer.
        transformer: the denoiser.
        scheduler: flow-matching scheduler that takes its sigmas, as the Euler, LCM and UniPC ones do.
        upscaler: draws the decoded video larger; without one it stays as the autoencoder draws it.

    A call takes:
        prompt, negative_prompt: text; without a negative prompt, guidance starts from the empty one.
        image: the first frame: one for all, or a list with one a prompt.
        last_image: a frame to arrive at, in the last latent frame.
        video: the first frames instead of an image; 4n+1 of them are used.
        video_latents: the first frames (one or 4n+1) from `encode_video`, instead of image and video.
        height, width: of the finished video; multiples of the autoencoder's ratio times the patch size, times
            the upscaler's scale if there is one. By default the size that the transformer was made for.
        num_frames: 4n+1; 1 makes a picture.
        num_inference_steps: network evaluations, each of them twice with guidance.
        guidance_scale: above 1 for classifier-free guidance.
        num_videos_per_prompt: videos with the same prompt.
        generator: on the CPU for the same noise on every device; a list gives each video its own.
        latents: initial noise instead, [B, C, F, h, w].
        prompt_embeds, prompt_attention_mask, negative_prompt_embeds, negative_prompt_attention_mask: from
            `encode_prompt`, one a prompt, instead of text; of any length and number format.
        output_type: `pil`, `np`, `pt` or `latent`; see `LinGenPipelineOutput`.
        return_dict: False for a plain tuple.
        callback_on_step_end: called after each step with the pipeline, step, timestep and tensors; what it
            returns replaces them.
        callback_on_step_end_tensor_inputs: which tensors it gets; `latents` by default.
        max_sequence_length: text tokens.
    """

    model_cpu_offload_seq = "text_encoder->transformer->vae->upscaler"
    _optional_components = ["upscaler"]  # noqa: RUF012
    _callback_tensor_inputs = ["latents", "prompt_embeds", "negative_prompt_embeds"]  # noqa: RUF012

    def __init__(
        self,
        vae: AutoencoderKLLTXVideo,
        text_encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        transformer: LinGenTransformer3DModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
        upscaler: VideoUpscaler | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            transformer=transformer,
            scheduler=scheduler,
            upscaler=upscaler,
        )
        self.enlarged: int = upscaler.config.scale if upscaler is not None else 1
        self.spatial_ratio: int = vae.spatial_compression_ratio * self.enlarged
        self.temporal_ratio: int = vae.temporal_compression_ratio
        self.video_processor = VideoProcessor(vae_scale_factor=self.spatial_ratio)
        self._interrupt = False
        self._guidance_scale = 1.0
        self._num_timesteps = 0

    @property
    def interrupt(self) -> bool:
        """Set `_interrupt` in a callback to skip the remaining steps and decode what there is."""
        return self._interrupt

    @property
    def guidance_scale(self) -> float:
        """Classifier-free guidance of the running call."""
        return self._guidance_scale

    @property
    def do_classifier_free_guidance(self) -> bool:
        """Whether each step also asks for the unconditional velocity."""
        return self._guidance_scale > 1

    @property
    def num_timesteps(self) -> int:
        """Steps of the running call."""
        return self._num_timesteps

    def encode_prompt(
        self,
        prompt: str | list[str],
        num_videos_per_prompt: int = 1,
        max_sequence_length: int = 32,
        device: torch.device | None = None,
    ) -> Embeds:
        """Text states [B*n, L, D] and their mask [B*n, L]; an empty prompt is the unconditional one."""
        prompt = [prompt] if isinstance(prompt, str) else prompt
        for text in prompt:
            if lost := beyond(self.tokenizer, text, max_sequence_length):
                logger.warning("Only %d tokens are read. This was cut off: %s", max_sequence_length, lost)
        device = device or self._execution_device
        tokens = self.tokenizer(
            prompt, padding="max_length", max_length=max_sequence_length, truncation=True, return_tensors="pt"
        ).to(device)
        mask = tokens.attention_mask
        states = self.text_encoder(input_ids=tokens.input_ids, attention_mask=mask).last_hidden_state
        states = states.to(self.transformer.dtype)
        return states.repeat_interleave(num_videos_per_prompt, 0), mask.repeat_interleave(
            num_videos_per_prompt, 0
        )

    def check_inputs(
        self,
        prompt: Any,
        height: int,
        width: int,
        num_frames: int,
        num_inference_steps: int,
        output_type: str,
        image: Any,
        video: Any,
        video_latents: Tensor | None,
        prompt_embeds: Embeds | None,
        callback_on_step_end_tensor_inputs: list[str],
    ) -> None:
        """Raise ValueError, before any work, if a call cannot be made."""
        multiple = self.spatial_ratio * self.transformer.config.patch_size
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise ValueError(
                f"`height` and `width` must be multiples of {multiple}, but are {height} and {width}."
            )
        if num_frames < 1 or (num_frames - 1) % self.temporal_ratio:
            raise ValueError(f"`num_frames` must be {self.temporal_ratio}n+1, but is {num_frames}.")
        if num_inference_steps < 1:
            raise ValueError(f"`num_inference_steps` must be at least 1, but is {num_inference_steps}.")
        if output_type not in OUTPUT_TYPES:
            raise ValueError(
                f"`output_type` must be one of {', '.join(OUTPUT_TYPES)}, but is {output_type!r}."
            )
        if (prompt is None or prompt == []) == (prompt_embeds is None):
            raise ValueError("Give either `prompt` or `prompt_embeds` with `prompt_attention_mask`.")
        if prompt is not None and not isinstance(prompt, (str, list)):
            raise ValueError(
                f"`prompt` must be a string or a list of strings, but is a {type(prompt).__name__}."
            )
        if sum(given is not None for given in (image, video, video_latents)) > 1:
            raise ValueError("Give `image` (the first frame), `video` or `video_latents`, not several.")
        rows, columns = height // self.spatial_ratio, width // self.spatial_ratio
        channels = self.transformer.config.in_channels
        shape = () if video_latents is None else tuple(video_latents.shape)
        if video_latents is not None and (shape[1:2], shape[3:]) != ((channels,), (rows, columns)):
            raise ValueError(
                f"`video_latents` must have {channels} channels and be {rows}x{columns} for {height}x{width} "
                f"pixels, but have the shape {shape}."
            )
        check_scheduler(self.scheduler)
        unknown = set(callback_on_step_end_tensor_inputs) - set(self._callback_tensor_inputs)
        if unknown:
            raise ValueError(
                f"A callback can ask for {self._callback_tensor_inputs}, not for {sorted(unknown)}."
            )

    def encode_video(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, T, H, W] in -1..1 -> normalised latents [B, C, F, h, w]; no randomness."""
        pixels = pixels.to(self._execution_device, torch.float32)
        if self.enlarged > 1:
            pixels = avg_pool3d(pixels, (1, self.enlarged, self.enlarged))  # a CPU pools in 32 bits only
        latents = self.vae.encode(pixels.to(self.vae.dtype)).latent_dist.mode().float()
        mean, std = self._latent_statistics(latents)
        return (latents - mean) * self.vae.config.scaling_factor / std

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Normalised latents [B, C, F, h, w] -> pixels [B, 3, T, H, W] in about -1..1."""
        mean, std = self._latent_statistics(latents)
        latents = latents.float() * std / self.vae.config.scaling_factor + mean
        pixels = self.vae.decode(latents.to(self.vae.dtype), return_dict=False)[0]
        return pixels if self.upscaler is None else self.upscaler(pixels.to(self.upscaler.dtype))

    def _latent_statistics(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, 1, 1, 1)
        mean, std = self.vae.latents_mean, self.vae.latents_std
        return mean.view(shape).to(latents.device).float(), std.view(shape).to(latents.device).float()

    def prepare_latents(
        self,
        batch_size: int,
        height: int,
        width: int,
        num_frames: int,
        generator: Generators,
        latents: Tensor | None = None,
    ) -> Tensor:
        """Initial noise [B, C, F, h, w] in float32; with a list of generators, each element is its own."""
        shape = (
            batch_size,
            self.transformer.config.in_channels,
            (num_frames - 1) // self.temporal_ratio + 1,
            height // self.spatial_ratio,
            width // self.spatial_ratio,
        )
        if isinstance(generator, list) and len(generator) != batch_size:
            raise ValueError(f"{len(generator)} generators were given for a batch of {batch_size} videos.")
        if latents is None:
            return randn_tensor(
                shape, generator=generator, device=self._execution_device, dtype=torch.float32
            )
        if tuple(latents.shape) != shape:
            raise ValueError(f"`latents` must have the shape {shape}, but has {tuple(latents.shape)}.")
        return latents.to(self._execution_device, torch.float32)

    def prepare_condition(
        self,
        noise: Tensor,
        image: Any,
        video: Any,
        last_image: Any,
        height: int,
        width: int,
        video_latents: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Known latents [B, C, F, h, w] and a mask [1, 1, F, 1, 1] that is 1 at the frames that are known.

        Of a video the first 4n+1 frames are taken. A last image is encoded as if the video stood still at it,
        so that its latent frame covers as many frames as any other.
        """
        known, mask = torch.zeros_like(noise), torch.zeros(1, 1, noise.shape[2], 1, 1, device=noise.device)
        ratio, frames = self.temporal_ratio, noise.shape[2]
        if image is not None:
            pixels = self.video_processor.preprocess(in_rgb(image), height, width)[:, :, None]
            place(known, mask, self.encode_video(pixels), 0)
        if video is not None:
            pixels = self.video_processor.preprocess_video(in_rgb(video), height, width)
            length = (pixels.shape[2] - 1) // ratio * ratio + 1
            if (length - 1) // ratio + 1 >= frames:
                raise ValueError(
                    f"The first {length} frames are given, so there is nothing left to make of "
                    f"{(frames - 1) * ratio + 1}. Give fewer frames or raise `num_frames`."
                )
            place(known, mask, self.encode_video(pixels[:, :, :length]), 0)
        if video_latents is not None:
            if video_latents.shape[2] >= frames:
                raise ValueError("`video_latents` leave nothing to make. Give fewer or raise `num_frames`.")
            place(known, mask, video_latents, 0)
        if last_image is not None:
            if mask[:, :, -1].any() or frames == 1:
                raise ValueError("`last_image` needs a last latent frame of its own. Raise `num_frames`.")
            pixels = self.video_processor.preprocess(in_rgb(last_image), height, width)[:, :, None]
            still = self.encode_video(pixels.repeat(1, 1, 2 * ratio + 1, 1, 1))[:, :, -1:]
            place(known, mask, still, frames - 1)
        return known, mask

    def _predict(
        self, latents: Tensor, timestep: Tensor, mask: Tensor, embeds: Embeds, negative: Embeds
    ) -> Tensor:
        """The velocity after guidance, zero at known frames so that no scheduler moves them."""
        guided = self.do_classifier_free_guidance
        states, states_mask = one_batch(negative, embeds) if guided else embeds
        frames = (timestep * (1 - mask)).flatten().expand(states.shape[0], -1)  # [B or 2B, F]
        model_input = (torch.cat([latents, latents]) if guided else latents).to(self.transformer.dtype)
        velocity = self.transformer(
            model_input, frames, states.to(model_input), states_mask.to(model_input.device), return_dict=False
        )[0].float()
        if guided:
            unconditional, conditional = velocity.chunk(2)
            velocity = unconditional + self._guidance_scale * (conditional - unconditional)
        return velocity * (1 - mask)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] | None = None,
        negative_prompt: str | list[str] | None = None,
        image: Any = None,
        last_image: Any = None,
        video: Any = None,
        video_latents: Tensor | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int = 17,
        num_inference_steps: int = 8,
        guidance_scale: float = 1.0,
        num_videos_per_prompt: int = 1,
        generator: Generators = None,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        prompt_attention_mask: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        negative_prompt_attention_mask: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[[Any, int, int, dict[str, Any]], dict[str, Any]] | None = None,
        callback_on_step_end_tensor_inputs: list[str] | None = None,
        max_sequence_length: int = 32,
    ) -> LinGenPipelineOutput | tuple[Any]:
        """Make one video for each prompt, or `num_videos_per_prompt` of them; the class lists the arguments.

        Raises:
            ValueError: if the arguments do not fit together; see `check_inputs`.
        """
        rows, columns = (side * self.spatial_ratio for side in self.transformer.config.sample_size[1:])
        height, width = rows if height is None else height, columns if width is None else width
        wanted = getattr(callback_on_step_end, "tensor_inputs", callback_on_step_end_tensor_inputs)
        wanted = wanted or ["latents"]
        given = None if prompt_embeds is None else with_mask(prompt_embeds, prompt_attention_mask)
        self.check_inputs(
            prompt, height, width, num_frames, num_inference_steps, output_type, image, video, video_latents,
            given, wanted,
        )  # fmt: skip
        self._guidance_scale, self._interrupt = guidance_scale, False
        embeds = given or self.encode_prompt(prompt or "", 1, max_sequence_length)
        batch = embeds[0].shape[0] * num_videos_per_prompt
        embeds = spread(embeds, batch)
        negative = embeds
        if self.do_classifier_free_guidance:
            if negative_prompt_embeds is not None:
                negative = with_mask(negative_prompt_embeds, negative_prompt_attention_mask)
            else:
                negative = self.encode_prompt(negative_prompt or "", 1, max_sequence_length)
            negative = spread(negative, batch)
        noise = self.prepare_latents(batch, height, width, num_frames, generator, latents)
        known, mask = self.prepare_condition(noise, image, video, last_image, height, width, video_latents)
        latents = noise * (1 - mask) + known * mask
        self._begin_schedule(num_inference_steps)
        latents = self._denoise(latents, mask, embeds, negative, callback_on_step_end, wanted, generator)
        frames = self._finished(latents, output_type)
        self.maybe_free_model_hooks()
        return LinGenPipelineOutput(frames=frames) if return_dict else (frames,)

    def _begin_schedule(self, steps: int) -> None:
        """Equal steps; the scheduler's own list would spend the last where almost nothing is left to do."""
        sigmas = np.linspace(1, 1 / steps, steps)
        self.scheduler.set_timesteps(sigmas=sigmas, device=self._execution_device)

    def _finished(self, latents: Tensor, output_type: str) -> Any:
        """Latents as the caller wants them."""
        if output_type == "latent":
            return latents
        return self.video_processor.postprocess_video(self.decode_latents(latents), output_type=output_type)

    def _denoise(
        self,
        latents: Tensor,
        mask: Tensor,
        embeds: Embeds,
        negative: Embeds,
        callback: Any,
        wanted: list[str],
        generator: Generators,
    ) -> Tensor:
        """All steps of the scheduler, or those until an interrupt."""
        timesteps = self.scheduler.timesteps
        self._num_timesteps = len(timesteps)
        with self.progress_bar(total=len(timesteps)) as progress:
            for step, timestep in enumerate(timesteps):
                if self.interrupt:
                    continue
                velocity = self._predict(latents, timestep, mask, embeds, negative)
                latents = stepped(self.scheduler, velocity, timestep, latents, mask, generator)
                if callback is not None:
                    values = (latents, embeds[0], negative[0])
                    tensors = dict(zip(self._callback_tensor_inputs, values, strict=True))
                    changed = callback(self, step, timestep, {name: tensors[name] for name in wanted})
                    latents = changed.pop("latents", latents)
                    embeds = (changed.pop("prompt_embeds", embeds[0]), embeds[1])
                    negative = (changed.pop("negative_prompt_embeds", negative[0]), negative[1])
                progress.update()
        return latents
