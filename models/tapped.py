"""A look into a pipeline's call from outside: its scheduler leaves what it foresees after every step."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler


@dataclass
class Look:
    """What can be seen of a run after a step.

    Attributes:
        predicted: the clean sample that the scheduler foresees, or None where it does not tell.
        latents: after the step.
        parts: one look for each copy that the pipeline makes of the scheduler, in their order (one a latent
            frame, or one for a sound track).
        after_step: called by the scheduler with each new sample; for pipelines that do not call back.
        kept: what decoding needs at every look and is made at the first one, by name.
    """

    predicted: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    parts: list[Look] = field(default_factory=list)
    after_step: Callable[[torch.Tensor], None] | None = None
    kept: dict[str, torch.Tensor] = field(default_factory=dict)

    def __deepcopy__(self, _: dict[int, Any]) -> Look:
        """The look of a copied scheduler: it sees its own part and disturbs no other."""
        self.parts.append(Look())
        return self.parts[-1]

    def clear(self) -> None:
        """Let go of the tensors."""
        self.predicted = self.latents = self.after_step = None
        self.parts.clear()
        self.kept.clear()


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

    A subclass with the same signature, because pipelines test for classes and read signatures. It counts
    from the first timestep, where every run starts: few pipelines say so, and a far shift rounds the first
    two timesteps to one number, of which schedulers that look it up take the second.
    """
    signature = inspect.signature(scheduler_class.step)

    @functools.wraps(scheduler_class.step)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "step_index", 0) is None and getattr(self, "begin_index", 0) is None:
            self.set_begin_index(0)
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
