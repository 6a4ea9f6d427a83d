"""What the command line tells of a project while a job works on it."""

from studio.terminal import News, segment_line
from studio.timeline import with_head, with_segment
from tests.studio import samples


def test_a_finished_chunk_is_told_with_the_likeness_that_the_drift_guard_goes_by():
    assert "seed 9  likeness 0.300  made in 4 s  a fox" in segment_line(samples.segment(), 1)


def test_attempts_that_lose_to_the_drift_guard_are_told_too(studio):
    before = samples.project(2)
    studio.store.save(before)
    news = News(studio, before.id)
    kept, lost = samples.segment(before.head), samples.segment(before.head, seed=12)
    studio.store.save(with_head(with_segment(with_segment(before, kept), lost), kept.id))
    told = [line for line in news.lines() if "candidate" not in line]
    assert ["  ".join(line.split("  ")[:3]) for line in told] == [
        "chunk 3  1.5 s  seed 9",
        "chunk 3, attempt 2  1.5 s  seed 12",
    ]


def test_a_project_is_not_read_at_every_step(studio):
    at = [0.0]
    before = samples.project(1)
    studio.store.save(before)
    news = News(studio, before.id, clock=lambda: at[0])
    assert news.now_and_then() == []
    studio.store.save(with_segment(before, samples.segment(before.head)))
    assert news.now_and_then() == []
    at[0] = 1.0
    assert news.now_and_then()[-1].startswith("chunk 2")
