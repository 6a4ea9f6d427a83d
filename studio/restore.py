"""A film file that was exported becomes a project again: its chunks, prompts, seeds and scores."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from studio import media
from studio.checks import MAX_TITLE_CHARS, check_text, plain_title
from studio.errors import InputError
from studio.export import has_recipe, read_recipe
from studio.store import Store
from studio.timeline import ChunkRequest, Project, Segment, with_segment

Frames = NDArray[np.uint8]
MAX_CHUNKS = 100_000
"""Of a film that is restored: it may have grown by many jobs, each with a limit of its own."""
MAX_TAIL_PIXELS = 150_000_000
"""Of the frames that are kept to go on from: as many as Pillow opens in one picture."""


class _Chunk(BaseModel):
    """One segment of a recipe; nothing in it is trusted."""

    request: ChunkRequest
    seed: int
    revision: str = Field(default="", max_length=100)
    num_frames: int = Field(ge=1, le=100_000)
    fps: float = Field(ge=1, le=240)
    scores: dict[str, float] = Field(default_factory=dict)


class _Recipe(BaseModel):
    title: str = Field(default="", max_length=MAX_TITLE_CHARS)
    segments: list[_Chunk] = Field(min_length=1, max_length=MAX_CHUNKS)


def restore(path: Path, store: Store, kept: Callable[[str], int], visitor: str = "") -> Project | None:
    """A new project with the film of a file, or None if the file holds no recipe.

    An mp4 is cut without loss. The next chunk is conditioned on frames decoded from the film; galleries and
    other endings are not in the file.

    Args:
        path: an mp4 or webm; nothing about it is trusted.
        store: takes the project.
        kept: of a model's name, how many frames at the end of its chunks are kept to continue from.
        visitor: whose project it will be, where strangers share the studio.

    Raises:
        InputError: if the film is not as long as its recipe says, or the disk is full.
    """
    if not has_recipe(path):
        return None
    recipe = _checked(read_recipe(path))
    lengths = [chunk.num_frames for chunk in recipe.segments]
    if media.count_frames(path) != sum(lengths):
        raise InputError(
            f"{path.name} was cut after it was exported: it has {media.count_frames(path)} frames and its "
            f"recipe {sum(lengths)}. Choose the film as it was exported."
        )
    store.check_disk(4 * path.stat().st_size)
    tail_frames = max(kept(chunk.request.model) for chunk in recipe.segments)
    project, film = Project(title=plain_title(recipe.title) or "Untitled"), _Film(path, lengths, tail_frames)
    try:
        for chunk in recipe.segments:
            project = with_segment(project, _segment(film, store, project, chunk))
        store.save(project, visitor)
    except BaseException:
        store.remove_unsaved(project.id)
        raise
    return project


def _checked(recipe: dict[str, Any]) -> _Recipe:
    try:
        check_text(json.dumps(recipe, ensure_ascii=False))
        return _Recipe.model_validate(recipe)
    except (ValidationError, RecursionError) as error:
        found = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("too deep",)
        where = ".".join(map(str, found))
        raise InputError(
            f"The recipe in this film cannot be read ({where}). Choose a film that this studio exported."
        ) from error


class _Film:
    """A film that is read once, from its beginning to its end.

    Args:
        path: of the film.
        lengths: frames of its chunks.
        tail_frames: how many of the frames seen last are kept.

    Attributes:
        middle: the frame halfway through the chunk that was written last.
        latest: the frames up to its end, from the chunks of its shot before it too.
    """

    middle: Frames

    def __init__(self, path: Path, lengths: Sequence[int], tail_frames: int) -> None:
        self.latest: deque[Frames] = deque(maxlen=tail_frames)
        self._name, self._lengths, self._kept = path.name, iter(lengths), tail_frames
        self._frames, self._pieces = media.read_frames(path), media.pieces(path, lengths)

    def write_next(self, clip: Path, fps: float) -> None:
        """Write the next chunk as a clip, without loss where a joined film begins one."""
        piece, frames = next(self._pieces), self._seen(next(self._lengths))
        if not piece.copy(clip, fps):
            media.write_clip(clip, frames, fps)
        deque(frames, maxlen=0)  # what was copied is looked at all the same

    def _seen(self, length: int) -> Iterator[Frames]:
        number = 0
        for number, frame in enumerate(islice(self._frames, length), start=1):
            self._check_size(frame)
            if number == length // 2 + 1:
                self.middle = frame
            self.latest.append(frame)
            yield frame
        if number < length:
            raise InputError(
                f"{self._name} is damaged: frames are missing. Choose the film as it was exported."
            )

    def _check_size(self, frame: Frames) -> None:
        height, width = frame.shape[:2]
        if height % 2 or width % 2 or height * width * self._kept > MAX_TAIL_PIXELS:
            raise InputError(
                f"{self._name} is {width}x{height}: another program has changed its size, as the studio's "
                "films are even in both and not so large. Choose the film as it was exported."
            )


def _segment(film: _Film, store: Store, project: Project, chunk: _Chunk) -> Segment:
    """Clip, tail and poster of the next chunk, and its record."""
    write = store.write_media
    if chunk.request.cut:
        film.latest.clear()
    clip = write(project.id, ".mp4", lambda to: film.write_next(to, chunk.fps))
    tail = np.stack(film.latest)
    return Segment(
        request=chunk.request.model_copy(update=dict.fromkeys(("guide", "guide_prompt", "last_image"))),
        seed=chunk.seed,
        revision=chunk.revision,
        parent=project.head,
        clip=clip,
        tail=write(project.id, ".png", lambda to: media.write_frames_png(tail, to)),
        poster=write(project.id, ".jpg", lambda to: media.poster(film.middle, to)),
        num_frames=chunk.num_frames,
        fps=chunk.fps,
        height=film.middle.shape[0],
        width=film.middle.shape[1],
        scores=chunk.scores,
    )
