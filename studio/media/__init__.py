"""Video files and pictures: the only place of the studio that encodes or decodes them."""

from studio.media.pictures import (
    png_bytes,
    poster,
    read_frames_png,
    read_guide,
    write_frames_png,
)
from studio.media.reading import (
    VIDEOS,
    VideoInfo,
    count_frames,
    read_frames,
    read_info,
    read_last_frame,
)
from studio.media.video import (
    join,
    joined_frames,
    pieces,
    write_clip,
    write_gif,
)

__all__ = [
    "VIDEOS",
    "VideoInfo",
    "count_frames",
    "join",
    "joined_frames",
    "pieces",
    "png_bytes",
    "poster",
    "read_frames",
    "read_frames_png",
    "read_guide",
    "read_info",
    "read_last_frame",
    "write_clip",
    "write_frames_png",
    "write_gif",
]
