"""Video files: exact, playable in browsers, joined without loss, in memory that does not grow."""

import os
import subprocess
import sys
import textwrap
from collections import deque
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from studio import media
from studio.errors import InputError
from studio.media import reading
from tests.studio.samples import moving_frames, seconds


def psnr(one, other):
    """Peak signal-to-noise ratio in decibels."""
    return 10 * np.log10(255**2 / np.mean((np.float64(one) - np.float64(other)) ** 2))


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    media.write_clip(path, moving_frames(), 8)
    return path


@pytest.mark.parametrize("quality", ["preview", "full"])
@pytest.mark.parametrize("num_frames", [1, 2, 17])
def test_every_frame_arrives_at_its_size(tmp_path, num_frames, quality):
    frames = moving_frames(num_frames, height=46, width=98)
    path = tmp_path / "clip.mp4"
    assert media.write_clip(path, frames, 8, quality) == num_frames
    assert media.count_frames(path) == num_frames
    back = np.stack(list(media.read_frames(path)))
    assert back.shape == frames.shape
    assert back.dtype == np.uint8


def test_frames_may_come_one_by_one(tmp_path):
    path = tmp_path / "clip.mp4"
    assert media.write_clip(path, (frame for frame in moving_frames(5)), 8) == 5


def test_the_picture_is_what_was_written(clip):
    assert psnr(np.stack(list(media.read_frames(clip))), moving_frames()) > 35


@pytest.mark.parametrize("colour", [(200, 30, 90), (0, 0, 0), (255, 255, 255), (20, 180, 240)])
def test_colours_keep(tmp_path, colour):
    path = tmp_path / "clip.mp4"
    media.write_clip(path, np.full((3, 64, 64, 3), colour, np.uint8), 8)
    for frame in media.read_frames(path):
        assert np.abs(frame[32, 32].astype(int) - colour).max() <= 3


def test_the_mp4_is_one_that_every_browser_plays(clip):
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (stream.height, stream.width) == (64, 96)
        assert len(container.streams) == 1
    data = clip.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("fps", [7, 8, 12.5, 24000 / 1001, 30])
def test_a_clip_begins_at_zero_and_lasts_exactly_its_frames_so_that_it_loops(tmp_path, fps):
    path = tmp_path / "clip.mp4"
    media.write_clip(path, moving_frames(9), fps, "preview")
    assert seconds(path) == pytest.approx(9 / fps, abs=1e-4)
    with av.open(str(path)) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert times[0] == 0
    assert times == sorted(times)
    assert media.read_info(path).fps == pytest.approx(fps)


def test_a_preview_is_smaller_than_the_full_clip(tmp_path):
    rng = np.random.default_rng(0)
    frames = (moving_frames(17, 128, 128) * 0.9 + rng.integers(0, 25, (17, 128, 128, 3))).astype(np.uint8)
    preview, full = tmp_path / "preview.mp4", tmp_path / "full.mp4"
    media.write_clip(preview, frames, 8, "preview")
    media.write_clip(full, frames, 8, "full")
    assert preview.stat().st_size < full.stat().st_size


def test_the_same_frames_make_the_same_file(tmp_path):
    paths = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for path in paths:
        media.write_clip(path, moving_frames(), 8)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", ["film.mp4", "film.webm"])
def test_metadata_comes_back(tmp_path, clip, name):
    said = '{"prompt": "“Füchse” = 狐; #1\\n\\\\"}' + "x" * 20_000
    media.join([clip], tmp_path / name, comment=said)
    assert media.read_info(tmp_path / name).comment == said


@pytest.mark.parametrize(("height", "width"), [(63, 96), (64, 95)])
def test_an_odd_side_is_refused(tmp_path, height, width):
    with pytest.raises(ValueError, match="even"):
        media.write_clip(tmp_path / "clip.mp4", moving_frames(2, height, width), 8)


def test_frames_of_two_sizes_are_refused(tmp_path):
    frames = [moving_frames(1, 64, 64)[0], moving_frames(1, 32, 32)[0]]
    with pytest.raises(ValueError, match="one size"):
        media.write_clip(tmp_path / "clip.mp4", frames, 8)


def test_no_frame_is_no_clip(tmp_path):
    for writer in (media.write_clip, media.write_gif):
        with pytest.raises(ValueError, match="at least one frame"):
            writer(tmp_path / "clip.mp4", [], 8)


# Joining


def clips_of(folder, count, num_frames=5, **update):
    paths = [folder / f"{index}.mp4" for index in range(count)]
    for index, path in enumerate(paths):
        media.write_clip(path, moving_frames(num_frames, seed=index, **update), 8)
    return paths


def test_joining_forty_clips_keeps_every_frame_bit_for_bit(tmp_path):
    paths = clips_of(tmp_path, 40)
    film = tmp_path / "film.mp4"
    assert media.join(paths, film) == 200
    joined = list(media.read_frames(film))
    apart = [frame for path in paths for frame in media.read_frames(path)]
    assert len(joined) == 200
    assert all(np.array_equal(one, other) for one, other in zip(joined, apart, strict=True))
    assert seconds(film) == pytest.approx(25.0)


def bits(paths):
    """Every coded frame, in order."""
    return [bytes(packet) for path in paths for _, packet in reading.packets(path)]


@pytest.mark.parametrize("fps", [7, 24000 / 1001, 9])
def test_clips_of_two_lengths_are_joined_without_loss_at_any_rate(tmp_path, fps):
    paths, film = [tmp_path / "first.mp4", tmp_path / "later.mp4"], tmp_path / "film.mp4"
    for path, num_frames in zip(paths, (14, 13), strict=True):
        media.write_clip(path, moving_frames(num_frames), fps)
    assert media.join(paths, film) == 27
    assert bits([film]) == bits(paths)
    assert seconds(film) == pytest.approx(27 / fps, abs=1e-3)


def test_a_clip_that_counts_its_time_otherwise_is_joined_without_loss(tmp_path, clip):
    older, film = tmp_path / "older.mp4", tmp_path / "film.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip), "-c", "copy"]
    subprocess.run([*command, "-video_track_timescale", "120000", str(older)], check=True)
    media.join([older, clip, older], film)
    assert bits([film]) == bits([older, clip, older])
    assert seconds(film) == pytest.approx(27 / 8)


def test_a_clip_that_begins_late_leaves_no_gap_in_a_film(tmp_path, clip):
    late, film = tmp_path / "late.mp4", tmp_path / "film.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-itsoffset", "1", "-i", str(clip)]
    subprocess.run([*command, "-c", "copy", "-video_track_timescale", "840000", str(late)], check=True)
    media.join([clip, late, late], film)
    with av.open(str(film)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 8 for index in range(27)])


def test_a_joined_film_starts_to_play_before_it_is_loaded_and_can_be_joined_again(tmp_path):
    film, longer = tmp_path / "film.mp4", tmp_path / "longer.mp4"
    paths = clips_of(tmp_path, 2)
    media.join(paths, film, "recipe")
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert media.read_info(film).comment == "recipe"
    assert media.join([film, paths[0]], longer) == 15
    assert len(list(media.read_frames(longer))) == 15


def test_clips_of_another_size_and_rate_are_fitted_and_keep_their_time(tmp_path):
    small, large, film = tmp_path / "s.mp4", tmp_path / "l.mp4", tmp_path / "film.mp4"
    media.write_clip(small, moving_frames(8, 64, 64), 8)
    media.write_clip(large, moving_frames(12, 96, 128), 12)
    assert media.join([small, large], film) == 20
    frames = list(media.read_frames(film))
    assert {frame.shape for frame in frames} == {(64, 64, 3)}
    assert len(frames) == 20
    assert seconds(film) == pytest.approx(2.0, abs=1e-3)
    assert frames[-1][2, 32].max() < 30  # the black bar above a wider picture
    assert psnr(np.stack(frames[:8]), moving_frames(8, 64, 64)) > 30


def test_joining_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="nothing to join"):
        media.join([], tmp_path / "film.mp4")


PEAK = """
    import sys
    from pathlib import Path
    from studio import media
    clip, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    media.join([clip] * count, out)
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0])  # KiB; ru_maxrss would count the parent's too
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak of memory told there")
@pytest.mark.parametrize(("how", "suffix"), [("copied", ".mp4"), ("encoded", ".webm")])
def test_the_memory_of_a_join_does_not_depend_on_its_length(tmp_path, how, suffix):
    clip = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    frames = moving_frames(25, 256, 256) if how == "encoded" else rng.integers(0, 255, (25, 256, 256, 3))
    media.write_clip(clip, frames.astype(np.uint8), 8)

    def peak(count):
        command = [sys.executable, "-c", textwrap.dedent(PEAK), clip, tmp_path / f"film{suffix}", count]
        env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        ended = subprocess.run(
            [str(part) for part in command], env=env, capture_output=True, text=True, timeout=300, check=True
        )
        return int(ended.stdout)

    few, many = (2, 40) if how == "copied" else (2, 10)
    extra = (many - few) * (clip.stat().st_size if how == "copied" else 25 * 256 * 256 * 3)
    assert peak(many) - peak(few) < extra / 1024 / 4


# Other containers


def test_a_webm_holds_every_frame(tmp_path, clip):
    path = tmp_path / "clip.webm"
    assert media.join([clip], path) == 9
    assert psnr(np.stack(list(media.read_frames(path))), moving_frames(9)) > 30
    assert path.read_bytes()[:4] == b"\x1aE\xdf\xa3"


def of_two_rates(tmp_path):
    """A second at 8 frames a second, and one at 24."""
    paths = [tmp_path / "slow.mp4", tmp_path / "fast.mp4"]
    for path, fps in zip(paths, (8, 24), strict=True):
        media.write_clip(path, moving_frames(fps), fps)
    return paths


@pytest.mark.parametrize("name", ["film.mp4", "film.webm"])
def test_clips_of_two_rates_keep_their_rates(tmp_path, name):
    assert media.join(of_two_rates(tmp_path), tmp_path / name) == 32
    with av.open(str(tmp_path / name)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times[8] - times[0] == pytest.approx(1, abs=0.01)
    assert times[31] - times[8] == pytest.approx(23 / 24, abs=0.01)


def test_frames_of_the_slower_clip_are_repeated_at_the_rate_of_the_faster(tmp_path):
    frames = list(media.joined_frames(of_two_rates(tmp_path), 24))
    assert len(frames) == 48
    np.testing.assert_array_equal(frames[0], frames[2])
    assert (frames[2] != frames[3]).any()


def test_a_gif_holds_every_frame_lasts_as_long_and_loops_for_ever(tmp_path):
    path = tmp_path / "clip.gif"
    frames = moving_frames(16)
    assert media.write_gif(path, frames, 8) == 16
    assert psnr(np.stack(list(media.read_frames(path))), frames) > 30
    from PIL import Image

    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"]) == (16, 0)
        lasts = 0
        for index in range(image.n_frames):
            image.seek(index)
            lasts += image.info["duration"]
    assert lasts == pytest.approx(2000, abs=20)


# What people bring


def test_a_video_that_was_taken_upright_is_read_upright(tmp_path, clip):
    lying = next(media.read_frames(clip))
    turned = tmp_path / "phone.mov"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-display_rotation", "90", "-i", clip]
    subprocess.run([*map(str, command), "-c", "copy", str(turned)], check=True)
    upright = next(media.read_frames(turned))
    np.testing.assert_array_equal(upright, np.rot90(lying))
    assert upright.shape == (96, 64, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
@pytest.mark.parametrize(("width", "ratio"), [(48, "2/1"), (128, "3/4")], ids=["wide", "narrow"])
def test_a_video_whose_pixels_are_not_square_is_read_as_it_is_shown(tmp_path, clip, suffix, width, ratio):
    coded = tmp_path / f"anamorphic{suffix}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", clip, "-vf"]
    subprocess.run([*map(str, command), f"scale={width}:64,setsar={ratio}", str(coded)], check=True)
    frames, info = np.stack(list(media.read_frames(coded))), media.read_info(coded)
    assert frames.shape == (9, 64, 96, 3)
    assert (info.height, info.width) == (64, 96)
    assert psnr(frames, moving_frames()) > 20
    np.testing.assert_array_equal(media.read_last_frame(coded), frames[-1])


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi", ".mpg", ".mkv"])
def test_the_last_frame_of_a_long_video_is_had_without_decoding_all_of_it(tmp_path, suffix, monkeypatch):
    source, video = tmp_path / "source.mp4", tmp_path / f"video{suffix}"
    media.write_clip(source, moving_frames(90), 24)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), "-g", "12", str(video)]
    subprocess.run(command, check=True)
    *_, last = media.read_frames(video)
    decoded = []
    monkeypatch.setattr(reading, "deque", lambda frames, maxlen: deque(counted(frames, decoded), maxlen))
    np.testing.assert_array_equal(media.read_last_frame(video), last)
    assert len(decoded) <= 48


def counted(frames, into):
    for frame in frames:
        into.append(frame.pts)
        yield frame


def test_the_last_frame_of_a_video_that_cannot_be_read_from_its_middle_is_had_all_the_same(clip, monkeypatch):
    decoded, asked = reading._last_decoded, []

    def fussy(path, *, near_end=False):
        asked.append(near_end)
        if near_end:
            raise InputError("cannot seek")
        return decoded(path)

    monkeypatch.setattr(reading, "_last_decoded", fussy)
    *_, last = media.read_frames(clip)
    np.testing.assert_array_equal(media.read_last_frame(clip), last)
    assert asked == [True, False]


# What cannot be read


@pytest.mark.parametrize("data", [None, b"", b"not a video at all" * 50])
def test_a_file_that_is_no_video_is_told_in_a_sentence(tmp_path, data):
    path = tmp_path / "clip.mp4"
    if data is not None:
        path.write_bytes(data)
    for read in (media.count_frames, media.read_info, lambda path: next(media.read_frames(path))):
        with pytest.raises(InputError, match="missing or damaged"):
            read(path)


@pytest.mark.skipif(os.name == "nt", reason="no colons in file names there")
def test_a_file_name_with_a_colon_is_no_address(clip, monkeypatch):
    monkeypatch.chdir(clip.parent)
    clip.rename("fox:1.mp4")
    assert media.count_frames(Path("fox:1.mp4")) == len(list(moving_frames()))


def test_a_damaged_clip_among_those_to_join_is_named(tmp_path):
    paths = clips_of(tmp_path, 2)
    paths[1].write_bytes(paths[1].read_bytes()[:500])
    with pytest.raises(InputError, match=r"1\.mp4"):
        media.join(paths, tmp_path / "film.mp4")
