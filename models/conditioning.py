"""What steers a run besides its initial noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.clip import Frames


@dataclass(frozen=True)
class Lora:
    """A LoRA file and how strongly it counts.

    Attributes:
        path: of a safetensors file.
        weight: 1 as trained, 0 for nothing, below 0 for its opposite.
        version: when the file was written, in nanoseconds, and its size in bytes; None if nobody looked. One
            that was replaced under its name, as while a LoRA is trained, is another one.
    """

    path: Path
    weight: float = 1.0
    version: tuple[int, int] | None = None

    def as_it_is(self) -> Lora:
        """With the version that lies there now; unchanged if there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return self
        return replace(self, version=(found.st_mtime_ns, found.st_size))


@dataclass(frozen=True, eq=False)
class Conditioning:
    """All that steers a run besides its initial noise; encoded once, used by all candidates of a segment.

    Attributes:
        prompt: in words that the model was taught, see `VideoModel.reading`.
        negative_prompt: as given.
        guidance_scale: classifier-free guidance; 1 turns it off.
        height, width: size in pixels.
        num_frames: length of the chunk in frames, the repeated guide frames included.
        guide: `[n, H, W, 3]` uint8 frames that the chunk begins with (n = 1 for an image, more for a prefix),
            or None for text alone. They are repeated as the first n frames of the chunk.
        before: `[m, H, W, 3]` uint8 frames of the film before the guide, which the model looks at as well
            and the chunk does not repeat, or None.
        last_image: `[H, W, 3]` uint8, the picture that the chunk ends with, or None.
        loras: LoRA files that change the network, and how strongly.
        fps: frames per second of the clip.
        options: of the card: further arguments of the pipeline's call.
        encoded: what the family encoded (prompt embeds, image latents); only the family looks inside.
    """

    prompt: str
    negative_prompt: str
    guidance_scale: float
    height: int
    width: int
    num_frames: int
    guide: Frames | None = None
    before: Frames | None = None
    last_image: Frames | None = None
    loras: tuple[Lora, ...] = ()
    fps: float = 8.0
    options: Mapping[str, Any] = field(default_factory=dict)
    encoded: dict[str, Any] = field(default_factory=dict)

    @property
    def guide_frame(self) -> Frames | None:
        """The guide frame of Eq. 4, `[H, W, 3]` uint8: the last frame that is known, or None."""
        return None if self.guide is None else self.guide[-1]

    @property
    def num_guide_frames(self) -> int:
        """How many frames at the beginning of the chunk repeat the guide."""
        return 0 if self.guide is None else len(self.guide)
