"""Videos of strangers: nothing about them is trusted, and old ones are read all the same."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from studio import media
from studio.errors import InputError
from studio.media import reading
from tests.studio.samples import moving_frames


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    media.write_clip(path, moving_frames(), 8, comment="a cafe in May")
    return path


def test_a_video_whose_metadata_is_no_utf8_is_read_all_the_same(clip):
    clip.write_bytes(clip.read_bytes().replace(b"cafe", b"caf\xe9"))
    assert media.read_info(clip).comment == "a caf\ufffd in May"
    assert media.read_last_frame(clip).shape == (64, 96, 3)


def test_of_a_large_video_the_last_frame_is_made_smaller(tmp_path):
    media.write_clip(tmp_path / "large.mp4", np.zeros((1, 64, 4096, 3), np.uint8), 8)
    assert media.read_last_frame(tmp_path / "large.mp4").shape == (32, 2048, 3)


def test_a_playlist_that_is_called_a_video_opens_no_other_file(tmp_path, clip):
    playlist = tmp_path / "film.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    with pytest.raises(InputError, match="cannot be read as a video"):
        media.read_last_frame(playlist)


def test_frames_that_would_fill_the_memory_are_not_decoded(clip, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PIXELS", 96 * 64 - 1)
    with pytest.raises(InputError, match="96x64"):
        media.read_last_frame(clip)


def test_pixels_of_an_absurd_shape_fill_no_memory(tmp_path, clip, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PIXELS", 100_000)
    absurd = tmp_path / "absurd.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip), "-c", "copy"]
    subprocess.run([*command, "-aspect", "200:1", str(absurd)], check=True)
    with pytest.raises(InputError, match="12800x64"):
        media.read_last_frame(absurd)
