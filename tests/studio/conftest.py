"""A real studio over a tiny random pipeline and a tiny random CLIP of the real classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.jobs import Jobs
from studio.settings import Settings
from studio.store import Store
from studio.studio import Studio
from studio.timeline import ChunkRequest

TINY = ChunkRequest(
    prompt="a fox runs",
    height=64,
    width=64,
    num_frames=9,
    num_inference_steps=4,
    guidance_scale=4.0,
    preview_steps=2,
    candidates=3,
    seed=7,
)
"""A request of the tiny pipeline: 9 frames of 64x64, m = 3, k = 2, s = 4, with guidance."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The database and media of an empty data folder."""
    return Store(tmp_path)


@pytest.fixture
def jobs(store: Store) -> Iterator[Jobs]:
    """A queue over it."""
    jobs = Jobs(store)
    yield jobs
    jobs.close()


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of the tiny pipeline and the tiny CLIP, as `Settings.sources` takes them."""
    from tests.models.scoring.tiny_clip import save_tiny_clip
    from tests.tiny import tiny_lingen

    folder = tmp_path_factory.mktemp("weights")
    tiny_lingen(folder / "pocket")
    return {"pocket": str(folder / "pocket"), "clip": str(save_tiny_clip(folder / "clip"))}


@pytest.fixture
def settings(tmp_path: Path, sources: dict[str, str]) -> Settings:
    return Settings(data_dir=tmp_path / "data", sources=sources, warm=False, min_free_mb=1, threads=1)


@pytest.fixture
def open_studio(settings: Settings) -> Iterator[Callable[[], Studio]]:
    """Open the studio; called again it is another one over the same data."""
    opened: list[Studio] = []

    def open_one() -> Studio:
        opened.append(Studio(settings).start())
        return opened[-1]

    yield open_one
    for studio in opened:
        studio.close()


@pytest.fixture
def studio(open_studio: Callable[[], Studio]) -> Studio:
    return open_studio()


@pytest.fixture
def request_() -> ChunkRequest:
    return TINY
