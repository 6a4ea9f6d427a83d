"""The film as an OpenTimelineIO timeline, which editing programs open: one clip a segment, none joined.

The schema is OpenTimelineIO's own (https://opentimelineio.readthedocs.io, "File Bundles" and "Serialized
Schema"); `Clip.1` is what old and new readers understand. The bundle is a zip with `content.otio`,
`version.txt` and the clips in `media/`; unpacked, its relative links still hold.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.timeline import Segment

BUNDLE_VERSION = "1.0.0"


def timeline(title: str, segments: Sequence[Segment], urls: Sequence[str]) -> dict[str, Any]:
    """The timeline as plain data.

    Args:
        title: of the film.
        segments: in playing order.
        urls: where the clip of each segment lies, from the folder of the timeline.
    """
    clips = [_clip(segment, url) for segment, url in zip(segments, urls, strict=True)]
    track = {"OTIO_SCHEMA": "Track.1", "name": "Video", "kind": "Video", "children": clips}
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track]}
    return {"OTIO_SCHEMA": "Timeline.1", "name": title, "tracks": stack}


def write_bundle(
    path: Path, title: str, segments: Sequence[Segment], clips: Sequence[Path], files: Mapping[str, str]
) -> None:
    """Write the timeline with its clips into one `.otioz` file.

    Args:
        path: ends in `.otioz`.
        title: of the film.
        segments: in playing order.
        clips: the mp4 of each.
        files: further text files by name, e.g. the recipe.

    Raises:
        OSError: if the disk is full or cannot be written.
    """
    urls = [f"media/segment_{index:02}.mp4" for index in range(1, len(clips) + 1)]
    content = json.dumps(timeline(title, segments, urls), indent=2, ensure_ascii=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for name, text in {"content.otio": content, "version.txt": BUNDLE_VERSION, **files}.items():
            archive.writestr(name, text)
        for clip, url in zip(clips, urls, strict=True):
            archive.write(clip, url)


def _clip(segment: Segment, url: str) -> dict[str, Any]:
    whole = {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(0, segment.fps),
        "duration": _time(segment.num_frames, segment.fps),
    }
    return {
        "OTIO_SCHEMA": "Clip.1",
        "name": segment.request.prompt,
        "source_range": whole,
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "target_url": url,
            "available_range": whole,
        },
        "metadata": {"chunkwise": {"seed": segment.seed, "model": segment.request.model}},
    }


def _time(value: float, rate: float) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "value": float(value), "rate": rate}
