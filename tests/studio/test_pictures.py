"""Pictures that people bring, and the lossless end of a segment."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from studio import media
from studio.errors import InputError
from tests.studio.samples import moving_frames


@pytest.fixture
def path(tmp_path):
    return tmp_path / "guide.png"


def halves(height=40, width=60):
    """Red on the left, blue on the right."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, : width // 2] = (255, 0, 0)
    frame[:, width // 2 :] = (0, 0, 255)
    return frame


AVIF = pytest.param(".avif", marks=pytest.mark.skipif(not features.check("avif"), reason="not built in"))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg", ".gif", ".tiff", AVIF])
def test_common_pictures_are_read_as_rgb(tmp_path, suffix):
    path = tmp_path / ("guide" + suffix)
    Image.fromarray(halves()).save(path)
    frame = media.read_guide(path)
    assert (frame.shape, frame.dtype) == ((40, 60, 3), np.uint8)
    assert np.abs(frame[20, 10].astype(int) - (255, 0, 0)).max() < 8


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_pictures_of_every_mode_become_rgb(tmp_path, mode):
    path = tmp_path / ("guide.jpg" if mode == "CMYK" else "guide.png")
    if mode == "I;16":
        Image.fromarray(np.full((40, 60), 51400, np.uint16)).save(path)
    else:
        grey = Image.new("RGB", (60, 40), (200, 200, 200))
        (grey.quantize(4) if mode == "P" else grey.convert(mode)).save(path)
    frame = media.read_guide(path)
    assert (frame.shape, frame.dtype) == ((40, 60, 3), np.uint8)
    if mode != "1":
        assert np.abs(frame.astype(int) - 200).max() <= 2


def test_a_photo_is_turned_upright(tmp_path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned: the left of the file is the top
    Image.fromarray(halves()).save(path, exif=exif, quality=95)
    frame = media.read_guide(path)
    assert frame.shape == (60, 40, 3)
    assert frame[5, 20, 0] > 200
    assert frame[-5, 20, 2] > 200


def test_what_is_transparent_becomes_white(path):
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, :, 0] = 200
    rgba[:20, :, 3] = 255
    rgba[30:, :, 3] = 128
    Image.fromarray(rgba).save(path)
    frame = media.read_guide(path)
    assert tuple(frame[10, 20]) == (200, 0, 0)
    assert tuple(frame[25, 20]) == (255, 255, 255)
    assert np.abs(frame[35, 20].astype(int) - (227, 127, 127)).max() <= 1


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    path = tmp_path / "guide.gif"
    first, *rest = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    first.save(path, save_all=True, append_images=rest)
    assert tuple(media.read_guide(path)[5, 5]) == (255, 0, 0)


def test_a_large_picture_is_made_smaller(path):
    Image.new("RGB", (4096, 1024)).save(path)
    assert media.read_guide(path).shape == (512, 2048, 3)


@pytest.mark.parametrize("data", [b"hello" * 100, b"<svg/>", b"%PDF-1.7 ...", b"\0" * 1000])
def test_a_file_that_is_no_picture_is_told_with_what_to_take(path, data):
    path.write_bytes(data)
    with pytest.raises(InputError, match="PNG, JPEG or WebP"):
        media.read_guide(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_that_was_cut_off_is_told_as_damaged(tmp_path, suffix):
    path = tmp_path / ("guide" + suffix)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"damaged|no picture"):
        media.read_guide(path)


def test_missing_and_empty_files_are_told(path):
    with pytest.raises(InputError, match="no file"):
        media.read_guide(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        media.read_guide(path)


def test_a_file_over_the_limit_is_refused_before_it_is_read(path):
    path.write_bytes(b"\0" * (2 * 2**20 + 1))
    with pytest.raises(InputError, match="at most 2 MiB"):
        media.read_guide(path, max_mb=2)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (8_000, 60_000):  # above our limit, and above Pillow's
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10**6)) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        with pytest.raises(InputError, match="50 million pixels"):
            media.read_guide(path)


def test_a_speck_is_refused(path):
    Image.new("RGB", (100, 8)).save(path)
    with pytest.raises(InputError, match="at least 16"):
        media.read_guide(path)


def test_the_last_frames_come_back_bit_for_bit(path):
    frames = np.random.default_rng(0).integers(0, 255, (5, 32, 48, 3), dtype=np.uint8)
    media.write_frames_png(frames, path)
    assert np.array_equal(media.read_frames_png(path), frames)
    with Image.open(path) as image:
        assert image.size == (48, 5 * 32)


def test_a_single_last_frame_comes_back_as_one_frame(path):
    media.write_frames_png(moving_frames(1), path)
    assert media.read_frames_png(path).shape == (1, 64, 96, 3)


def test_what_is_no_stack_of_frames_is_not_written(path):
    with pytest.raises(ValueError, match="uint8"):
        media.write_frames_png(moving_frames(1).astype(np.float32), path)
    assert not path.exists()


def test_damaged_last_frames_are_told_with_what_to_do(path):
    with pytest.raises(InputError, match="Make that chunk again"):
        media.read_frames_png(path)
    Image.new("RGB", (20, 20)).save(path)  # a png, but not one of ours
    with pytest.raises(InputError, match="Make that chunk again"):
        media.read_frames_png(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_poster_shows_the_frame(tmp_path, suffix):
    path = tmp_path / ("poster" + suffix)
    frame = moving_frames(1)[0]
    media.poster(frame, path)
    with Image.open(path) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - frame).mean() < 5
