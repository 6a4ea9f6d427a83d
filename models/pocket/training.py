"""What every training command shares: budget, learning rate, averaged weights, checkpoints, a log."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.memory import keep_freed_memory


@dataclass
class Progress:
    """How far a training is: steps, seconds spent over all resumed parts, and what they may cost in all.

    ``max_steps`` makes the schedule depend on steps alone (exactly repeatable); else it follows the clock.
    """

    minutes: float
    max_steps: int | None = None
    step: int = 0
    spent: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, this part and those before it."""
        return self.spent + time.monotonic() - self._since

    @property
    def fraction(self) -> float:
        """Share of the budget that is used, 0 to 1 (more when overdrawn)."""
        return self.step / self.max_steps if self.max_steps else self.seconds / (60 * self.minutes)

    def learning_rate(self, peak: float, warmup: int) -> float:
        """Linear warmup over steps, then half a cosine to a hundredth of the peak over the budget."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.fraction)))
        return peak * min(1.0, (self.step + 1) / warmup) * (0.01 + 0.99 * cosine)


class AveragedWeights:
    """Exponential moving average of a model's weights, with a short memory at the beginning."""

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone().float() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module | Mapping[str, torch.Tensor], step: int) -> None:
        """Moves the average towards the model's present weights, or towards those given by name."""
        keep = min(self.decay, (1 + step) / (10 + step))
        now = model.state_dict() if isinstance(model, nn.Module) else model
        for name, value in now.items():
            self.weights[name].lerp_(value.float(), 1 - keep)


def save_checkpoint(path: Path, progress: Progress, **states: Any) -> None:
    """Writes a checkpoint so that a crash leaves the old or the new one, never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"step": progress.step, "spent": progress.seconds, **states}, part)
    part.replace(path)


def load_checkpoint(path: Path, progress: Progress) -> dict[str, Any] | None:
    """The states of the last checkpoint, with ``progress`` set to where it was; None if there is none."""
    if not path.exists():
        return None
    states: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    progress.step, progress.spent = states["step"], states["spent"]
    return states


@contextlib.contextmanager
def in_place_of(folder: Path) -> Iterator[Path]:
    """A new empty folder that takes the place of `folder` once it is whole; till then that one stays."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def log_line(path: Path, **values: float | int | str) -> None:
    """Appends one JSON line to the log and prints it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({key: round(v, 6) if isinstance(v, float) else v for key, v in values.items()})
    with path.open("a") as log:
        log.write(line + "\n")
    print(line, flush=True)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log, without what a crash or a full disk cut off; none if there is no log yet."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def use_threads(threads: int) -> torch.device:
    """Sets the number of CPU threads and returns the device to train on."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def start_over(resume: bool, *files: Path) -> None:
    """Unless resuming, removes the files of an earlier training."""
    if not resume:
        for file in files:
            file.unlink(missing_ok=True)


def record_before(folder: Path | None) -> dict[str, Any] | None:
    """What was recorded of the training whose published weights this one begins with."""
    if folder is None or not (folder / "training.json").is_file():
        return None
    record: dict[str, Any] = json.loads((folder / "training.json").read_text())
    return record


def compile_blocks(network: Any) -> None:
    """Compile every block; each is one more version of the same code, with gradients and without."""
    torch._dynamo.config.recompile_limit = 64
    for block in network.blocks:
        block.compile(dynamic=False)


@contextlib.contextmanager
def fast_attention(device: torch.device) -> Iterator[None]:
    """On a CPU, attention over few tokens trains faster as plain matrix products."""
    with sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext():
        yield
