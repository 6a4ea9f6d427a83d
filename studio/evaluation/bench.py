"""How fast is the studio on this machine, from the press of a button to what is on the disk.

studio bench chunk | gallery | search | overhead | startup | memory
studio bench lingen-flops | lingen-adjacency | lingen-scaling | lingen-ablation
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from models.families import family
from studio.errors import InputError
from studio.evaluation.bench_ablation import ablation
from studio.evaluation.bench_lingen import adjacency, flops, scaling
from studio.evaluation.bench_memory import memory
from studio.evaluation.bench_startup import startup
from studio.evaluation.report import Bench, Machine, Measure, Report, show, this_machine
from studio.settings import read_settings
from studio.studio import Studio
from studio.timeline import ChunkRequest

__all__ = ["BENCHES", "CURVES", "show"]

T = TypeVar("T")
PROMPT = "a fox runs through snow"
LONG: dict[str, object] = {"strategy": "naive", "num_inference_steps": 20, "guidance_scale": 4.0}
"""A run of the length that models have which were not distilled."""


def chunk(*, repeat: int, threads: int | None) -> Report:
    """One segment of the first model at its default size in 20 steps with guidance, without any search."""
    with _studio(threads) as studio:
        request = _request(studio, **LONG)
        _segment(studio, request)  # warms up
        values = tuple(_segment(studio, request) for _ in range(repeat))
        measure = Measure(name="one segment", value=median(values), unit="s", target=8, values=values)
        what = f"{_size(request)}, {request.num_inference_steps} steps with guidance, stored"
        return Report(bench="chunk", what=what, measures=(measure,), machine=_machine(studio))


def gallery(*, repeat: int, threads: int | None) -> Report:
    """Four candidates of four steps: until the first one can be seen, and until all can."""
    with _studio(threads) as studio:
        request = _request(studio, strategy="k-step", candidates=4, preview_steps=4)
        _gallery(studio, request)  # warms up
        firsts, alls = zip(*(_gallery(studio, request) for _ in range(repeat)), strict=True)
        measures = (
            Measure(name="first candidate", value=median(firsts), unit="s", target=2, values=firsts),
            Measure(name="all candidates", value=median(alls), unit="s", target=6, values=alls),
        )
        what = f"4 candidates of 4 steps, {_size(request)}, scored and stored"
        return Report(bench="gallery", what=what, measures=measures, machine=_machine(studio))


def search(*, repeat: int, threads: int | None) -> Report:
    """All that the page's button does by default, and the best candidate in full."""
    with _studio(threads) as studio:
        request = _request(studio)
        _segment(studio, request)  # warms up
        values = tuple(_segment(studio, request) for _ in range(repeat))
        measure = Measure(name="search and full run", value=median(values), unit="s", target=5, values=values)
        guided = "with" if request.guidance_scale > 1 else "without"
        what = (
            f"{request.candidates} candidates of {request.preview_steps} steps, then "
            f"{request.num_inference_steps} steps {guided} guidance, {_size(request)}"
        )
        return Report(bench="search", what=what, measures=(measure,), machine=_machine(studio))


def overhead(*, repeat: int, threads: int | None) -> Report:
    """The same segment by the studio and by calling the pipeline, by turns in one process."""
    with _studio(threads) as studio:
        threads = studio.settings.threads
        request = _request(studio, **LONG)
        card = studio.card(request.model)
        source = studio.settings.sources.get(card.name, card.source)
        pipeline = _apart(lambda: family(card.family).pipeline_class(card).from_pretrained(source), threads)
        pipeline.set_progress_bar_config(disable=True)
        _segment(studio, request)
        _apart(lambda: _plain(pipeline, request), threads)  # both are warm now
        ours, plain = [], []
        for turn in range(repeat):
            first_ours = turn % 2 == 0
            if first_ours:
                ours.append(_segment(studio, request))
            plain.append(_apart(lambda: _plain(pipeline, request), threads))
            if not first_ours:
                ours.append(_segment(studio, request))
        ratios = tuple(a / b for a, b in zip(ours, plain, strict=True))
        measures = (
            Measure(name="studio", value=median(ours), unit="s", values=tuple(ours)),
            Measure(name="pipeline", value=median(plain), unit="s", values=tuple(plain)),
            Measure(name="studio / pipeline", value=median(ratios), unit="", target=1.05, values=ratios),
        )
        what = f"{_size(request)}, {request.num_inference_steps} steps with guidance"
        return Report(bench="overhead", what=what, measures=measures, machine=_machine(studio))


BENCHES: dict[str, Bench] = {
    "chunk": chunk,
    "gallery": gallery,
    "search": search,
    "overhead": overhead,
    "startup": startup,
    "memory": memory,
    "lingen-flops": flops,
    "lingen-adjacency": adjacency,
    "lingen-scaling": scaling,
    "lingen-ablation": ablation,
}

CURVES = ("lingen-adjacency", "lingen-scaling", "lingen-ablation")
"""Those that can be plotted."""


@contextmanager
def _studio(threads: int | None) -> Iterator[Studio]:
    """A studio over an empty folder, its model loaded."""
    with tempfile.TemporaryDirectory(prefix="studio-bench-") as folder:
        settings = read_settings(data_dir=Path(folder), warm=False)
        if threads is not None:
            settings = settings.model_copy(update={"threads": threads})
        with Studio(settings) as studio:
            studio.load(settings.model)
            yield studio


def _machine(studio: Studio) -> Machine:
    return this_machine(studio.settings.threads)


def _request(studio: Studio, **choices: object) -> ChunkRequest:
    return studio.default_request(studio.settings.model, PROMPT).model_copy(update=choices)


def _size(request: ChunkRequest) -> str:
    return f"{request.num_frames} frames of {request.width}x{request.height}"


def _segment(studio: Studio, request: ChunkRequest) -> float:
    """Seconds from the press to the segment in the store."""
    project = studio.create_project()
    begun = time.perf_counter()
    view = studio.wait(studio.make(project.id, [request]))
    seconds = time.perf_counter() - begun
    if view.state != "done":
        raise InputError(view.error or f"The job was {view.state}.")
    studio.delete_project(project.id)
    return seconds


def _gallery(studio: Studio, request: ChunkRequest) -> tuple[float, float]:
    """Seconds from the press to the first candidate, and to the last."""
    project = studio.create_project()
    begun = time.perf_counter()
    first: float | None = None
    job = studio.search(project.id, request)
    for view in studio.follow(job):
        if first is None and studio.project(project.id).gallery is not None:
            first = time.perf_counter() - begun
        if view.state == "failed":
            raise InputError(view.error)
    seconds = time.perf_counter() - begun
    studio.delete_project(project.id)
    return seconds if first is None else first, seconds


def _apart(call: Callable[[], T], threads: int | None) -> T:
    """Call in a thread that ends with it, so that its pool of OpenMP threads is in nobody's way."""
    from models import placement

    def work() -> T:
        placement.use_threads(threads or this_machine(None).cores)
        return call()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _plain(pipeline: Any, request: ChunkRequest) -> float:
    """Seconds of the pipeline's own call for the same chunk."""
    begun = time.perf_counter()
    pipeline(
        request.prompt,
        height=request.height,
        width=request.width,
        num_frames=request.num_frames,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        output_type="np",
    )
    return time.perf_counter() - begun
