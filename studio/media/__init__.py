"""Video files and pictures: the only place of the studio that encodes or decodes them."""

from studio.media.pictures import (
    png_bytes,
    poster,
    read_frames_png,
    read_guide,
    write_frames_png,
)
from studio.media.video import (
    VIDEOS,
    VideoInfo,
    count_frames,
    cut,
    join,
    joined_frames,
    read_frames,
    read_info,
    read_last_frame,
    write_clip,
    write_gif,
)

__all__ = [
    "VIDEOS",
    "VideoInfo",
    "count_frames",
    "cut",
    "join",
    "joined_frames",
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
