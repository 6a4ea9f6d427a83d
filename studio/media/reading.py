"""Reading video files: ours, and what people bring."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from studio.errors import InputError
from studio.media.pictures import MAX_PIXELS, shrunk

Frame = NDArray[np.uint8]
VIDEOS = (".mp4", ".webm", ".mov", ".mkv", ".m4v", ".avi", ".mpg", ".mpeg")
_CONTAINERS = "mov,matroska,avi,mpeg,mpegvideo,mpegts,gif"  # a playlist would open other files


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself: shown size in pixels, frames per second, metadata comment."""

    height: int
    width: int
    fps: float
    comment: str


def read_info(path: Path) -> VideoInfo:
    """Size, rate and metadata of a video file.

    Raises:
        InputError: if it cannot be read.
    """
    with opened(path) as container:
        stream = container.streams.video[0]
        comment = container.metadata.get("comment", "") or container.metadata.get("COMMENT", "")
        return VideoInfo(
            stream.height, _shown_width(stream, pixel_ratio(stream)), float(stream.average_rate or 0), comment
        )


def read_frames(path: Path) -> Iterator[Frame]:
    """Decode a video file frame by frame, upright and with square pixels: `[H, W, 3]` uint8 RGB.

    Raises:
        InputError: if it cannot be read.
    """
    with opened(path) as container:
        converter, ratio = VideoReformatter(), pixel_ratio(container.streams.video[0])
        for frame in container.decode(video=0):
            yield _upright(frame, ratio, converter)


def read_last_frame(path: Path) -> Frame:
    """The last frame of a video, `[H, W, 3]` uint8 RGB, made smaller as `read_guide` does.

    Raises:
        InputError: if it cannot be read, or has too many pixels.
    """
    last, ratio = None, Fraction(1)
    with suppress(InputError):  # not every file can be read from its middle
        last, ratio = _last_decoded(path, near_end=True)
    if last is None or last.is_corrupt:
        last, ratio = _last_decoded(path)
    if last is None:
        raise InputError(f"{path.name} holds no frame. Choose another file.")
    return shrunk(_upright(last, ratio, VideoReformatter()))


def count_frames(path: Path) -> int:
    """Frames in a video file, counted without decoding.

    Raises:
        InputError: if it cannot be read.
    """
    return sum(1 for _ in packets(path))


def pixel_ratio(stream: Any) -> Fraction:
    """Width of a pixel by its height: 1 but for anamorphic film, DVD and DV."""
    return stream.sample_aspect_ratio or Fraction(1)


def _shown_width(of: Any, ratio: Fraction) -> int:
    """How wide a stream or a frame is shown; even where that is not how it is coded."""
    return of.width if ratio == 1 else max(2, 2 * round(of.width * ratio / 2))


def _upright(frame: Any, ratio: Fraction, converter: VideoReformatter) -> Frame:
    width = min(_shown_width(frame, ratio), MAX_PIXELS // frame.height)  # the file may have said another size
    shown = converter.reformat(frame, width=width, format="rgb24", threads=1)
    picture: Frame = shown.to_ndarray()  # type: ignore[assignment]
    return np.rot90(picture, round(frame.rotation / 90)) if frame.rotation else picture


def _last_decoded(path: Path, *, near_end: bool = False) -> tuple[Any, Fraction]:
    """The last frame as it is decoded, or None, and the ratio of its pixels.

    `near_end` leaves out what lies a second before the end.
    """
    with opened(path) as container:
        if near_end and container.duration:
            container.seek((container.start_time or 0) + container.duration - av.time_base)
        last = deque(container.decode(video=0), maxlen=1)
        return (last[0] if last else None), pixel_ratio(container.streams.video[0])


def packets(path: Path) -> Iterator[tuple[Any, Any]]:
    """Every coded frame of a video file, with its stream."""
    with opened(path) as container:
        stream = container.streams.video[0]
        yield from ((stream, packet) for packet in container.demux(stream) if packet.size)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A video file to read; nothing is written while it is open, so that every error is one of reading."""
    try:
        how: dict[str, Any] = {"options": {"format_whitelist": _CONTAINERS}, "metadata_errors": "replace"}
        with av.open(str(path.absolute()), **how) as container:  # or it takes "fox:1.mp4" for an address
            if not container.streams.video:
                raise InputError(f"{path.name} holds no video. Choose another file.")
            _check_size(path, container.streams.video[0])
            yield container
    except av.FFmpegError as error:
        raise InputError(f"{path.name} cannot be read as a video: it is missing or damaged.") from error


def _check_size(path: Path, stream: Any) -> None:
    """A file of a few kilobytes can hold frames that fill the memory."""
    width = max(stream.width, _shown_width(stream, pixel_ratio(stream)))
    if width * stream.height > MAX_PIXELS:
        raise InputError(
            f"{path.name} is {width}x{stream.height}: more than {MAX_PIXELS // 10**6} million pixels "
            "a frame. Save it smaller."
        )
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # it may say another size than it has
