"""Pictures: guide images from people, posters, and the lossless last frames of a segment."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from studio.errors import InputError

Frames = NDArray[np.uint8]

MAX_PIXELS = 50_000_000
MIN_SIDE = 16
MAX_SIDE = 2048
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")


def read_guide(path: Path, max_mb: float = 20) -> Frames:
    """Read a picture that somebody brought, `[H, W, 3]` uint8 RGB.

    It is turned upright as its camera noted, what is transparent becomes white, of an animation the first
    picture is taken, and what is larger than 2048 pixels a side is made smaller.

    Args:
        path: of the upload; nothing about it is trusted.
        max_mb: largest file taken, in MiB.

    Raises:
        InputError: if the file is too large, no picture, damaged, or has too many or too few pixels.
    """
    path = Path(path)
    _check_file(path, max_mb)
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # not every build reads AVIF
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the number of pixels is checked here, before any is decoded
            with Image.open(path, formats=formats) as image:
                _check_size(image)
                return _upright_rgb(image)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Image.UnidentifiedImageError as error:
        raise InputError(
            "This file is no picture that can be read here. Take a PNG, JPEG or WebP file; "
            "a photo in another format (HEIC, RAW) must be saved as one of them first."
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        raise InputError(
            "The picture is damaged and cannot be read. Save it again or take another."
        ) from error


def shrunk(frame: Frames) -> Frames:
    """A frame `[H, W, 3]` uint8, made smaller if it is larger than 2048 pixels a side."""
    picture = Image.fromarray(frame)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(picture)


def poster(frame: Frames, path: Path) -> None:
    """Write a still of `[H, W, 3]` uint8; the suffix says how (`.jpg`, `.png`, `.webp`)."""
    Image.fromarray(frame).save(path, quality=90)


def png_bytes(frame: Frames) -> bytes:
    """A frame `[H, W, 3]` uint8 as the contents of a png file."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, format="PNG")
    return file.getvalue()


def write_frames_png(frames: Frames, path: Path) -> None:
    """Write frames `[n, H, W, 3]` uint8 without loss into one png, one below the other.

    Raises:
        ValueError: if there is no frame, or the shape or type is another.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ValueError(f"frames are [n, H, W, 3] uint8, not {frames.shape} {frames.dtype}")
    count, height, width, _ = frames.shape
    info = PngInfo()
    info.add_text("frames", str(count))
    picture = Image.fromarray(frames.reshape(count * height, width, 3))
    picture.save(path, format="PNG", pnginfo=info, compress_level=1, compress_type=zlib.Z_RLE)  # quick


def read_frames_png(path: Path) -> Frames:
    """Read what `write_frames_png` wrote: `[n, H, W, 3]` uint8, bit for bit the same.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            count = int(getattr(image, "text", {})["frames"])
            stacked = np.asarray(image.convert("RGB"))
        return stacked.reshape(count, stacked.shape[0] // count, stacked.shape[1], 3)
    except Exception as error:
        raise InputError(
            f"The last frames of a chunk ({Path(path).name}) are missing or damaged. "
            "Make that chunk again, or continue from the one before it."
        ) from error


def _check_file(path: Path, max_mb: float) -> None:
    if not path.is_file():
        raise InputError(f"There is no file {path.name}. Choose a PNG, JPEG or WebP picture.")
    size = path.stat().st_size
    if size > max_mb * 2**20:
        raise InputError(
            f"The picture has {size / 2**20:.0f} MiB; at most {max_mb:g} MiB are taken. "
            "Save it smaller; guide images are scaled down anyway."
        )
    if size == 0:
        raise InputError("The picture file is empty. Choose another one.")


def _check_size(image: Any) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"The picture has only {width}x{height} pixels. Take one of at least {MIN_SIDE} a side."
        )


def _too_many_pixels() -> InputError:
    return InputError(
        f"The picture has more than {MAX_PIXELS // 10**6} million pixels. Save it smaller; guide images are "
        f"scaled down to {MAX_SIDE} pixels a side anyway."
    )


def _upright_rgb(image: Any) -> Frames:
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a JPEG can be decoded at a fraction of its size
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits a pixel
        upright = Image.fromarray((np.asarray(upright).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright.thumbnail((MAX_SIDE, MAX_SIDE))
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    upright = upright.convert("RGB")
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(upright)
