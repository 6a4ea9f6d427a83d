"""Small projects and moving pictures that the tests of the studio's core share."""

import av
import numpy as np

from studio import media
from studio.timeline import Candidate, ChunkRequest, Gallery, Project, Segment, new_id, with_segment


def moving_frames(num_frames=9, height=64, width=96, seed=0):
    """A bright disc that crosses a coloured slope: `[T, H, W, 3]` uint8."""
    y, x = np.mgrid[:height, :width]
    slope = np.stack([x * 200 // width, y * 200 // height, np.full_like(x, 40 * (seed % 6))], -1)
    frames = np.repeat(slope[None], num_frames, 0).astype(np.uint8)
    for index, frame in enumerate(frames):
        frame[(x - 10 - 6 * index) ** 2 + (y - height // 2) ** 2 < 100] = (250, 220, 60)
    return frames


def shown_frame(poster, clip):
    """Which frame of a clip a poster shows; neither is exact."""
    still = media.read_guide(poster).astype(float)
    return min(enumerate(media.read_frames(clip)), key=lambda numbered: np.abs(numbered[1] - still).mean())[0]


def seconds(path):
    """Length that a player sees."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.duration * stream.time_base)


def segment(parent=None, **update):
    """A segment whose media files exist only by name."""
    fields = {
        "request": ChunkRequest(prompt="a fox runs through snow", seed=7),
        "seed": 9,
        "revision": "abc",
        "parent": parent,
        "clip": new_id() + ".mp4",
        "tail": new_id() + ".png",
        "poster": new_id() + ".jpg",
        "num_frames": 12,
        "fps": 8.0,
        "height": 64,
        "width": 96,
        "scores": {"guide": 0.1 + 0.2, "motion": 1 / 3},
        "candidates": (Candidate(seed=9, steps=4, preview=new_id() + ".mp4", picked=True),),
        "seconds_taken": 3.7,
    }
    return Segment(**{**fields, **update})


def gallery(parent=None):
    """Two candidates that wait for a pick."""
    candidates = tuple(
        Candidate(seed=seed, steps=4, preview=new_id() + ".mp4", scores={"prompt": seed / 7}, rank=seed / 7)
        for seed in (1, 2)
    )
    request = ChunkRequest(prompt="“it’s” raining\n雪", guide=new_id() + ".png")
    return Gallery(request=request, parent=parent, candidates=candidates)


def project(num_segments=2):
    """A project whose film has so many segments; its media files exist only by name."""
    made = Project(title="A fox, long")
    for _ in range(num_segments):
        made = with_segment(made, segment(made.head))
    return made


def project_with_clips(store, num_segments=2, num_frames=9, fps=8.0):
    """A stored project whose clips are real files."""
    made = Project(title="A fox, long")
    for index in range(num_segments):
        frames = moving_frames(num_frames, seed=index)
        clip = store.write_media(
            made.id, ".mp4", lambda path, frames=frames: media.write_clip(path, frames, fps)
        )
        made = with_segment(made, segment(made.head, clip=clip, num_frames=num_frames, fps=fps))
    store.save(made)
    return made
