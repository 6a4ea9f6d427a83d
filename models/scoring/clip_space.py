"""Frames and prompts as unit vectors of one CLIP model (Radford et al. 2021), through open_clip."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.clip import Clip, Frames
from models.conditioning import Conditioning
from models.errors import InputError
from models.weights import check_file, read_json

AT_ONCE = 16
"""Frames that are embedded together."""


class ClipSpace:
    """The CLIP model that all scorers share. A clip or a guide frame is embedded once, however many ask.

    Args:
        model: of open_clip, in evaluation mode; its `visual.preprocess_cfg` says how it wants its pictures.
        tokenizer: of the same model.
        device: where the model is.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str = "cpu") -> None:
        self._model = model.to(memory_format=torch.channels_last)  # faster on a CPU
        self._tokenizer = tokenizer
        self._device = device
        how = model.visual.preprocess_cfg
        size = how["size"]
        self._size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        self._fit = functools.partial(fit, squash=how["resize_mode"] == "squash", kind=how["interpolation"])
        self._mean = torch.tensor(how["mean"], device=device)[:, None, None]
        self._std = torch.tensor(how["std"], device=device)[:, None, None]
        self._clips: WeakKeyDictionary[Clip, Tensor] = WeakKeyDictionary()
        self._guides: WeakKeyDictionary[Conditioning, Tensor] = WeakKeyDictionary()
        self._prompt = functools.lru_cache(maxsize=256)(self._embed_prompt)

    @classmethod
    def load(cls, source: Path | str, device: str = "cpu") -> ClipSpace:
        """Load a CLIP model.

        Args:
            source: a folder with `open_clip_config.json`, weights and tokenizer, or a name of open_clip with
                its weights after a slash: `ViT-B-32/laion2b_s34b_b79k`, or `hf-hub:...`.
            device: as torch names it.

        Raises:
            InputError: if weights are missing or damaged, or open_clip knows no such model.
        """
        import open_clip

        name, weights = checked_folder(Path(source)) if is_folder(source) else split_name(str(source))
        try:
            model = open_clip.create_model(name, pretrained=weights, device=device)
            tokenizer = open_clip.get_tokenizer(name)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise InputError(
                f"The CLIP model {source} could not be loaded: {error} Choose another, or fetch it again."
            ) from error
        return cls(model.eval().requires_grad_(False), tokenizer, device)

    def frames(self, clip: Clip) -> Tensor:
        """The frames of a clip as unit vectors `[T, D]`."""
        if clip not in self._clips:
            self._clips[clip] = self._embed_frames(clip.frames)
        return self._clips[clip]

    def guide(self, conditioning: Conditioning) -> Tensor | None:
        """The guide frame of Eq. 4 as a unit vector `[D]`, or None without one."""
        if conditioning.guide_frame is None:
            return None
        if conditioning not in self._guides:
            self._guides[conditioning] = self._embed_frames(conditioning.guide_frame[None])[0]
        return self._guides[conditioning]

    def prompt(self, text: str) -> Tensor:
        """A prompt as a unit vector `[D]`. What is beyond the model's context length is cut off."""
        return self._prompt(text)

    @torch.no_grad()
    def _embed_prompt(self, text: str) -> Tensor:
        return self._model.encode_text(self._tokenizer([text]).to(self._device), normalize=True)[0]

    @torch.no_grad()
    def _embed_frames(self, frames: Frames) -> Tensor:
        """A few frames at a time: the device may be full of the model that made them."""
        vectors = []
        for first in range(0, len(frames), AT_ONCE):
            pictures = torch.from_numpy(np.ascontiguousarray(frames[first : first + AT_ONCE]))
            pictures = pictures.to(self._device).permute(0, 3, 1, 2).float() / 255
            pictures = (self._fit(pictures, self._size) - self._mean) / self._std
            vectors.append(self._model.encode_image(pictures, normalize=True))
        return torch.cat(vectors)


def fit(pictures: Tensor, size: tuple[int, int], *, squash: bool, kind: str) -> Tensor:
    """Bring pictures `[T, 3, H, W]` in `[0, 1]` to a size.

    Args:
        pictures: to be scaled.
        size: height and width.
        squash: change the shape; else cover the size and keep the middle.
        kind: of interpolation, `bilinear` or `bicubic`.
    """
    height, width = pictures.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    covered = (max(round(height * scale), size[0]), max(round(width * scale), size[1]))
    wanted = size if squash else covered
    if wanted != (height, width):
        pictures = F.interpolate(pictures, wanted, mode=kind, antialias=True).clamp(0, 1)
    top, left = (wanted[0] - size[0]) // 2, (wanted[1] - size[1]) // 2
    return pictures[..., top : top + size[0], left : left + size[1]]


def is_folder(source: Path | str) -> bool:
    """Whether a source is meant as a folder, be it there or not."""
    return Path(source).is_absolute() or Path(source).is_dir()


def checked_folder(folder: Path) -> tuple[str, None]:
    """The name by which open_clip loads a folder.

    Raises:
        InputError: naming the file that is missing or damaged.
    """
    read_json(folder / "open_clip_config.json", "CLIP")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(f"The weights of CLIP are missing from {folder}. Fetch the folder again.")
    for file in files:
        check_file(file, "CLIP")
    return f"local-dir:{folder}", None


def split_name(source: str) -> tuple[str, str | None]:
    """`ViT-B-32/openai` -> model and weights; names with a schema, such as `hf-hub:...`, bring their own."""
    if ":" in source:
        return source, None
    name, _, weights = source.partition("/")
    return name, weights or None
