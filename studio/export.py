"""The film as a file to take along, with its recipe inside.

A film is made once for what it consists of: its name depends on its segments, and asking again costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from studio import media, otio
from studio.errors import InputError
from studio.store import Store, disk_full
from studio.timeline import Project, Segment, new_id

Kind = Literal["mp4", "webm", "gif", "frames", "otioz"]
KINDS: tuple[Kind, ...] = get_args(Kind)

RECIPE_VERSION = 1
MAX_RECIPE = 2**24
"""Characters of a recipe that are read, which become many times as many bytes; a chunk takes about 700."""
_SUFFIX = {"mp4": ".mp4", "webm": ".webm", "gif": ".gif", "frames": ".zip", "otioz": ".otioz"}
_IMAGES = {"guide", "guide_prompt", "last_image"}
# bytes needed for a byte of clips, at most
_GROWTH = {
    "mp4": 1,
    "webm": 1,
    "gif": 20,
    "frames": 40,
    "otioz": 1,
}


def film(project: Project, store: Store) -> Path:
    """The current branch as one mp4, joined without loss where its clips allow it.

    Raises:
        InputError: if there is no segment yet, a clip is gone, or the disk is full.
    """
    return export(project, store, "mp4")


def export(project: Project, store: Store, kind: str = "mp4", to: Path | None = None) -> Path:
    """The current branch as a file: in the project's folder, or `to` another place alone.

    `mp4` and `webm` carry the recipe as their metadata comment; `gif` has no place for it; `frames` is a zip
    of png files and `otioz` an OpenTimelineIO bundle of the clips for editing programs, both with a
    `recipe.json`.

    Raises:
        InputError: if the kind is unknown, there is no segment yet, a clip is gone, or the disk is full.
    """
    if kind not in KINDS:
        raise InputError(f"A film can be saved as {', '.join(KINDS)}, not as {kind!r}. Choose one of them.")
    segments = project.branch()
    if not segments:
        raise InputError("There is no film yet. Make a first chunk.")
    comment = json.dumps(recipe(project), ensure_ascii=False)
    name = _name(segments, comment, _SUFFIX[kind])
    path = store.media_dir(project.id) / name
    clips = [] if path.is_file() else [store.media_path(project.id, segment.clip) for segment in segments]
    writer = _writer(kind, project, clips, comment) if clips else partial(shutil.copyfile, path)
    if to is not None:
        _write_elsewhere(to, _SUFFIX[kind], writer)
        return to
    if clips:
        store.check_disk(_GROWTH[kind] * sum(clip.stat().st_size for clip in clips))
        store.write_media(project.id, _SUFFIX[kind], writer, name)
    store.forget_films(project.id, name)
    return path


def recipe(project: Project) -> dict[str, Any]:
    """All that is needed to make the film again: what was asked for each segment, and the seed it came from.

    Names of guide images are left out, since they open the images to whoever knows them.
    """
    return {
        "recipe": RECIPE_VERSION,
        "title": project.title,
        "segments": [
            {
                "request": segment.request.model_dump(mode="json", exclude=_IMAGES),
                "guide_image": segment.request.guide is not None,
                "last_image": segment.request.last_image is not None,
                "seed": segment.seed,
                "revision": segment.revision,
                "num_frames": segment.num_frames,
                "fps": segment.fps,
                "scores": segment.scores,
            }
            for segment in project.branch()
        ],
    }


def has_recipe(path: Path) -> bool:
    """Whether a file is a film that `export` made, here or in another version."""
    if path.suffix.lower() not in media.VIDEOS:
        return False
    try:
        return _recipe_in(path) is not None
    except InputError:
        return False


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in an mp4 or webm that `export` made.

    Raises:
        InputError: if the file cannot be read, holds none, or one of another version.
    """
    found = _recipe_in(path)
    if found is None:
        raise InputError(f"{Path(path).name} holds no recipe of this studio. Choose a film it exported.")
    if found["recipe"] != RECIPE_VERSION:
        raise InputError(
            f"{Path(path).name} was exported by another version of the studio, whose recipes this one cannot "
            "read. Open it with that version."
        )
    return found


def _recipe_in(path: Path) -> dict[str, Any] | None:
    """What a film says of itself, of any version, or None; nothing about it is trusted."""
    comment = media.read_info(path).comment
    try:
        found = json.loads(comment) if len(comment) <= MAX_RECIPE else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("recipe"), int) else None


def _name(segments: Iterable[Segment], comment: str, suffix: str) -> str:
    """Cannot be guessed, since the ids of segments cannot."""
    ids = "\n".join(segment.id for segment in segments)
    return "film-" + hashlib.sha256(f"{ids}\n{comment}".encode()).hexdigest()[:32] + suffix


def _write_elsewhere(to: Path, suffix: str, writer: Callable[[Path], object]) -> None:
    """A file on a disk that may have room where the data folder's has none; what is there stays if not."""
    part = to.resolve().with_name(f"unfinished-{new_id()}{suffix}")
    try:
        writer(part)
        part.replace(to.resolve())
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) or disk_full(error):
            why = getattr(error, "strerror", None) or error
            raise InputError(
                f"The film could not be written to {to} ({why}). Nothing of its project is lost; choose "
                "another place with `studio export`."
            ) from error
        raise


def _writer(kind: str, project: Project, clips: list[Path], comment: str) -> Callable[[Path], object]:
    segments, files = project.branch(), {"recipe.json": comment}
    fps = max(media.read_info(clip).fps for clip in clips)
    return {
        "mp4": lambda path: media.join(clips, path, comment),
        "webm": lambda path: media.join(clips, path, comment),
        "gif": lambda path: media.write_gif(path, media.joined_frames(clips, fps), fps),
        "frames": lambda path: _write_zip(path, media.joined_frames(clips), files),
        "otioz": lambda path: otio.write_bundle(path, project.title, segments, clips, files),
    }[kind]


def _write_zip(path: Path, frames: Iterable[NDArray[np.uint8]], files: Mapping[str, str]) -> None:
    """A png a frame, one in memory at a time; a png is compressed already."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for index, frame in enumerate(frames, start=1):
            archive.writestr(f"frame_{index:05}.png", media.png_bytes(frame))
        for name, text in files.items():
            archive.writestr(name, text)
