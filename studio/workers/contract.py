"""What the studio asks of whoever runs the model.

Everything that crosses this border is plain data: a request, frames, numbers. So a worker may be this
process, a call on a borrowed accelerator, or an actor on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from models.clip import Frames
from models.reading import Reading
from models.video_model import ModelCard
from studio.search import Decoded, Finished, Live, Rough, Step
from studio.timeline import ChunkRequest


@dataclass(frozen=True, eq=False)
class Task:
    """One chunk to be made.

    Attributes:
        key: names the gallery; suspended runs are kept under it until `release(key)`.
        request: what was asked.
        guide: `[n, H, W, 3]` uint8 frames that the chunk begins with, or None for text alone.
        last_image: `[H, W, 3]` uint8 picture that the chunk is led to, or None.
        continues: whether the guide is the end of a film, whose next frames the chunk shows.
    """

    key: str
    request: ChunkRequest
    guide: Frames | None = None
    last_image: Frames | None = None
    continues: bool = False


class Worker(Protocol):
    """Runs models. One run at a time; a generator that is closed stops between two denoising steps."""

    def cards(self) -> list[ModelCard]:
        """Every checkpoint it can run."""

    def card(self, name: str) -> ModelCard:
        """The card of that name.

        Raises:
            InputError: naming the known ones.
        """

    def ready(self, model: str) -> str | None:
        """None if the model is loaded, else a sentence: what it waits for or why it failed."""

    def load(self, model: str, tell: Callable[[str], None] | None = None) -> None:
        """Load the model's weights and the scorers, unless they are loaded.

        Args:
            model: name of a card.
            tell: is given a sentence now and then while weights are downloaded.

        Raises:
            InputError: if a weight file is missing; it names the file and what to do.
        """

    def placed(self, model: str) -> str:
        """Where a loaded model runs and why, in a sentence; empty if it is not loaded."""

    def reading(self, model: str, prompt: str) -> Reading:
        """What a model makes of the words of a prompt, if it is loaded and nothing is made."""

    def loras(self) -> list[str]:
        """Names of the LoRA files that a request can ask for."""

    def image_model(self) -> ModelCard:
        """The text-to-image model of `draw`; its name is one for the three verbs below."""

    def is_here(self, model: str) -> bool:
        """Whether a model's weights are on this machine."""

    def plan(self, model: str) -> tuple[int, str]:
        """What a download of its weights would bring: the bytes that are missing, and a sentence.

        Raises:
            InputError: if they cannot be had, and what to do.
        """

    def fetch(self, model: str, tell: Callable[[str], None]) -> None:
        """Download what is missing; `tell` is given a sentence now and then.

        Raises:
            InputError: if the disk is too full, or as `plan`.
        """

    def draw(self, model: str, prompt: str, seed: int, **how: Any) -> Frames:
        """A guide image for a model, `[H, W, 3]` uint8, by a text-to-image pipeline.

        Args:
            model: name of the card of the video model.
            prompt: what is seen.
            seed: of the initial noise.
            how: as `models.guide_image.draw` takes it, such as `size`, `source` and `tell`.

        Raises:
            InputError: if the prompt is empty, or weights are missing.
        """

    def search(self, task: Task) -> Generator[Step | Rough, None, None]:
        """Make the candidates of a task; `Rough.run` is None here, suspended runs stay with the worker."""

    def finish(self, task: Task, seed: int) -> Generator[Step | Live | Decoded | Finished, None, None]:
        """The full run of one initial noise. A run that `search` suspended goes on and pays nothing twice.

        Yields:
            `Step` and `Live`; `Decoded` once the clip is there, and `Finished` last, with its scores.
        """

    def release(self, key: str) -> None:
        """Let go of all suspended runs of a gallery. Safe for a key that is not known."""

    def close(self) -> None:
        """Let go of everything. Safe to call twice."""
