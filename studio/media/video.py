"""Video files: read, write, join.

- mp4 is H.264 High, yuv420p, BT.709, its index in front: it plays in any browser and before it is loaded.
- No bidirectional frames: every clip begins at time 0, loops without a gap, and can be joined by copying.
- Everything goes frame by frame: memory does not depend on the length.
- Encoding happens in this process: seventeen frames of 128x128 take about a hundredth of a second.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image, ImageOps

from studio.errors import InputError
from studio.media.reading import (
    Frame,
    count_frames,
    opened,
    packets,
    pixel_ratio,
    read_frames,
    read_info,
)

Quality = Literal["preview", "full"]

_TICKS = 840_000  # of an mp4 in a second: whole numbers for 24000/1001, 7 and all other common rates
_MANY_PIXELS = 512 * 512  # below it a second encoder thread costs more than it brings


@dataclass(frozen=True)
class _Encoding:
    container: str
    codec: str
    options: dict[str, str]
    container_options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"


def _mp4(crf: int) -> _Encoding:
    return _Encoding(
        "mp4",
        "libx264",
        {"preset": "veryfast", "crf": str(crf), "profile": "high", "bf": "0"},
        {"movflags": "+faststart", "video_track_timescale": str(_TICKS)},
    )


_PREVIEW = _mp4(22)
_FULL = _mp4(14)
_WEBM = _Encoding("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"})


def write_clip(
    path: Path, frames: Iterable[Frame], fps: float, quality: Quality = "full", comment: str = ""
) -> int:
    """Write an mp4 that any browser plays.

    Args:
        path: ends in `.mp4`.
        frames: `[H, W, 3]` uint8 RGB each, all of one even size; an array `[T, H, W, 3]` will do.
        fps: frames per second.
        quality: `preview` is small and quick, `full` is what films are made of.
        comment: metadata, e.g. the recipe.

    Returns:
        How many frames were written.

    Raises:
        ValueError: if there is no frame, or they differ in size, or a side is odd.
        OSError: if the disk is full or cannot be written.
    """
    return _encode(path, _timed(frames, fps), fps, _PREVIEW if quality == "preview" else _FULL, comment)


def write_gif(path: Path, frames: Iterable[Frame], fps: float) -> int:
    """Write a gif that loops for ever, each frame with 256 colours of its own; otherwise as `write_clip`."""
    count, tick = 0, 1 / _rate(fps)
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        stream: Any = None
        graph: Any = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("gif", rate=_rate(fps))
                stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "pal8"
                stream.codec_context.time_base = tick
                graph = _palette_graph(stream)
            graph.push(_video_frame(frame, count, tick, 1))
            container.mux(stream.encode(graph.pull()))
            count += 1
        if stream is not None:
            container.mux(stream.encode(None))
    return _checked(path, count)


def join(paths: Sequence[Path], out: Path, comment: str = "") -> int:
    """Write clips one after another into one mp4, or into a VP9 webm if `out` ends so.

    In an mp4, clips of one size and rate that `write_clip` made are copied as they are, without loss. Else
    all are encoded again at the size of the first one (others are fitted into it, with black bars) and keep
    their own rates.

    Returns:
        How many frames were written: the sum of theirs.

    Raises:
        ValueError: if there is no clip.
        InputError: if one cannot be read.
        OSError: if the disk is full or cannot be written.
    """
    if not paths:
        raise ValueError("nothing to join")
    fps = read_info(paths[0]).fps
    if out.suffix == ".webm":
        return _encode(out, _timed_frames(paths), fps, _WEBM, comment)
    if len({_signature(path) for path in paths}) == 1:
        return _checked(out, _copy(paths, out, comment))
    return _encode(out, _timed_frames(paths), fps, _FULL, comment)


@dataclass(frozen=True, eq=False)
class Piece:
    """Frames that follow one another in a video, as they are coded in it."""

    _stream: Any
    _packets: Sequence[Any]

    def copy(self, out: Path, fps: float) -> bool:
        """Write them as an mp4 without loss, if nothing around them is needed and they last as long.

        Another program may code a frame before those that are shown before it; a piece holds frames of its
        neighbours then.

        Args:
            out: the clip.
            fps: frames per second that it has to have.

        Returns:
            Whether they could be copied; if not, nothing is written.

        Raises:
            OSError: if the disk is full or cannot be written.
        """
        stream, tick = self._stream, float(self._stream.time_base)
        lasting = [(packet.duration or 0) * tick for packet in self._packets]
        at_rate = all(abs(seconds - 1 / fps) < tick for seconds in lasting)
        in_order = all(packet.pts == packet.dts for packet in self._packets)
        playable = stream.codec_context.name == "h264" and pixel_ratio(stream) == 1
        if not (playable and self._packets[0].is_keyframe and in_order and at_rate):
            return False
        begin = self._packets[0].dts
        with av.open(str(out), "w", format="mp4", options=_FULL.container_options) as container:
            target = container.add_stream_from_template(stream)
            for packet in self._packets:
                packet.pts, packet.dts = packet.pts - begin, packet.dts - begin
                packet.stream = target
                container.mux(packet)
        return _checked(out, len(self._packets)) > 0


def pieces(path: Path, lengths: Iterable[int]) -> Iterator[Piece]:
    """A video in pieces of so many frames, one in memory at a time.

    Raises:
        InputError: if it cannot be read, or is shorter.
    """
    with opened(path) as container:
        stream = container.streams.video[0]
        coded = (packet for packet in container.demux(stream) if packet.size)
        for length in lengths:
            taken = list(islice(coded, length))
            if len(taken) < length:
                raise InputError(f"{path.name} is shorter than it says. Choose the film as it was exported.")
            yield Piece(stream, taken)


def joined_frames(paths: Sequence[Path], fps: float | None = None) -> Iterator[Frame]:
    """Frames of clips one after another, all at the size of the first clip.

    Args:
        paths: of the clips.
        fps: a frame is repeated as long as it is seen at this rate; None gives every frame once.

    Raises:
        InputError: if one cannot be read.
    """
    shown = 0
    for frame, time, duration in _timed_frames(paths):
        times = 1 if fps is None else math.ceil((time + duration) * _rate(fps)) - shown
        shown += times
        yield from itertools.repeat(frame, times)


_TimedFrame = tuple[Frame, Fraction, Fraction]  # with its time and duration in seconds


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)


def _timed(frames: Iterable[Frame], fps: float) -> Iterator[_TimedFrame]:
    duration = 1 / _rate(fps)
    for index, frame in enumerate(frames):
        yield frame, index * duration, duration


def _timed_frames(paths: Sequence[Path]) -> Iterator[_TimedFrame]:
    first = read_info(paths[0])
    time = Fraction(0)
    for path in paths:
        duration = 1 / _rate(read_info(path).fps)
        for frame in read_frames(path):
            yield _fitted(frame, first.height, first.width), time, duration
            time += duration


def _fitted(frame: Frame, height: int, width: int) -> Frame:
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(ImageOps.pad(Image.fromarray(frame), (width, height)))


def _encode(path: Path, frames: Iterable[_TimedFrame], fps: float, how: _Encoding, comment: str) -> int:
    count = 0
    tick, converter = Fraction(1, _TICKS), VideoReformatter()
    with av.open(str(path), "w", format=how.container, options=how.container_options) as container:
        container.metadata["comment"] = comment
        stream: Any = None
        size: tuple[int, ...] = ()
        for frame, time, duration in frames:
            if stream is None:
                size = frame.shape
                stream = _video_stream(container, size, fps, how)
            if frame.shape != size:
                raise ValueError(f"all frames of a clip have one size; {frame.shape} follows {size}")
            picture = _video_frame(frame, round(time / tick), tick, round(duration / tick))
            container.mux(stream.encode(_bt709(converter, picture, how.pixels)))
            count += 1
        if stream is not None:
            container.mux(stream.encode(None))
    return _checked(path, count)


def _video_stream(container: Any, size: tuple[int, ...], fps: float, how: _Encoding) -> Any:
    height, width = size[:2]
    if height % 2 or width % 2:
        raise ValueError(f"the height and width of a clip are even, not {width}x{height}")
    stream = container.add_stream(how.codec, rate=_rate(fps), options=dict(how.options))
    stream.height, stream.width, stream.pix_fmt = height, width, how.pixels
    context = stream.codec_context
    context.time_base = Fraction(1, _TICKS)
    context.flags |= Flags.frame_duration
    context.thread_count = 0 if height * width > _MANY_PIXELS else 1
    context.color_range, context.colorspace = int(ColorRange.MPEG), int(Colorspace.ITU709)
    context.color_primaries = context.color_trc = int(Colorspace.ITU709)  # all three are number 1
    return stream


def _video_frame(frame: Frame, pts: int, time_base: Fraction, duration: int = 0) -> Any:
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    picture.pts, picture.time_base, picture.duration = pts, time_base, duration
    return picture


def _bt709(converter: VideoReformatter, picture: Any, pixels: str) -> Any:
    """One thread: starting several for every frame takes longer, and clips must be the same every time."""
    pts, time_base, duration = picture.pts, picture.time_base, picture.duration
    picture = converter.reformat(
        picture,
        format=pixels,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
    picture.pts, picture.time_base, picture.duration = pts, time_base, duration
    return picture


def _palette_graph(stream: Any) -> Any:
    """A filter that gives every frame the 256 colours that suit it best, without looking ahead."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=stream.width,
        height=stream.height,
        format=av.VideoFormat("rgb24"),
        time_base=stream.codec_context.time_base,
    )
    split = graph.add("split")
    generate = graph.add("palettegen", "stats_mode=single")
    use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(generate, 0, 0)
    split.link_to(use, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _signature(path: Path) -> tuple[Any, ...]:
    """Clips of one signature can follow each other in one file without being encoded again."""
    with opened(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        rate = _rate(float(stream.average_rate or 0))  # an average of rounded times depends on the length
        return context.name, bytes(context.extradata or b""), rate


def _copy(paths: Sequence[Path], out: Path, comment: str) -> int:
    count, offset, tick = 0, 0, Fraction(1, _TICKS)
    with av.open(str(out), "w", format="mp4", options=_FULL.container_options) as container:
        container.metadata["comment"] = comment
        target: Any = None
        for path in paths:
            begin, end = None, offset
            for stream, packet in packets(path):
                target = target or container.add_stream_from_template(stream)
                ticks = stream.time_base / tick  # an older clip may count otherwise, and begin later
                begin = packet.pts if begin is None else begin
                packet.pts, packet.dts = (
                    offset + round((at - begin) * ticks) for at in (packet.pts, packet.dts)
                )
                packet.duration, packet.time_base = round(packet.duration * ticks), tick
                end = max(end, packet.pts + packet.duration)
                packet.stream = target
                container.mux(packet)
                count += 1
            offset = end
    return count


def _checked(path: Path, count: int) -> int:
    """Look whether all frames arrived: closing a file on a full disk does not always fail."""
    if count == 0:
        raise ValueError("a clip needs at least one frame")
    try:
        written = count_frames(path)
    except InputError:
        written = 0
    if written != count:
        raise OSError(f"only {written} of {count} frames arrived in {path.name}")
    return count
