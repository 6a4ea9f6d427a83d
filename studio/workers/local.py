"""Runs in this process: one model at a time on one device, suspended runs kept until their gallery goes."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from models import download, placement
from models.catalog import CARDS, card, load_model
from models.clip import Clip, Frames
from models.conditioning import Conditioning, Lora
from models.continuation import match_colours
from models.gguf_networks import Networks, networks_of
from models.image_model import IMAGE_MODEL, image_model
from models.memory import give_freed_memory_back
from models.reading import Reading
from models.video_model import DenoisingRun, ModelCard, Scorer, VideoModel
from studio import search
from studio.checks import check_loras
from studio.errors import CancelledError, InputError
from studio.search import Decoded, Finished, Live, Rough, Step
from studio.sentences import sentence_of
from studio.settings import Settings
from studio.timeline import LoraChoice
from studio.workers.contract import Task
from studio.workers.sessions import Session, Sessions

LOOK_AFTER = 2.0
"""Seconds without a look into a run; who waits for less than that sees the finished clip as soon."""

_LOG = logging.getLogger(__name__)


def local_worker(settings: Settings) -> LocalWorker:
    """The worker of this process as the settings want it."""
    wishes = placement.Wishes(
        settings.device, settings.offload, settings.storage, settings.attention, cache=settings.cache
    )
    return LocalWorker(
        device=wishes,
        threads=settings.threads,
        live_share=settings.live_share,
        sources=settings.sources,
        networks={model: networks_of(choice) for model, choice in settings.networks.items()},
        tiny_decoders=settings.tiny_decoders,
        at_once=settings.at_once,
        lora_dir=settings.lora_dir,
    )


class LocalWorker:
    """The worker of a laptop, and of a machine with one accelerator. See `studio.workers.contract.Worker`.

    Args:
        device: where the model runs and how it is made to fit; what is not set is chosen.
        threads: CPU threads of torch; None leaves them as they are.
        live_share: how much of a full run's time may go into looking into it, 0 for never.
        lora_dir: folder of LoRA files.
        sources: folders to load weights from instead of the cards' own, by model name; `clip` for the
            default scorers.
        networks: GGUF files of denoising networks, by model name.
        tiny_decoders: folders or hub ids of small autoencoders that show what a run is at, by model name.
        at_once: how many candidates are denoised together.
        scorers: who judges candidates; None takes the default ones.
    """

    def __init__(
        self,
        *,
        device: placement.Wishes | None = None,
        threads: int | None = None,
        live_share: float = 0.0,
        sources: Mapping[str, str] | None = None,
        networks: Mapping[str, Networks] | None = None,
        tiny_decoders: Mapping[str, str] | None = None,
        lora_dir: Path = Path("var/loras"),
        at_once: int = 1,
        scorers: Sequence[Scorer] | None = None,
    ) -> None:
        self._device_name, self._threads, self._live_share = device, threads, live_share
        self._sources, self._lora_dir = dict(sources or {}), lora_dir
        self._networks, self._tiny_decoders = dict(networks or {}), dict(tiny_decoders or {})
        self._scorers = None if scorers is None else list(scorers)
        self._at_once = at_once
        self._model: VideoModel | None = None
        self._waiting: dict[str, str] = {}
        self._decode_seconds: dict[tuple[str, int, int, int], float] = {}
        self._loading = threading.Lock()
        self._device = threading.RLock()
        self._sessions = Sessions(self._device)

    def cards(self) -> list[ModelCard]:
        """Every checkpoint of the catalog."""
        return list(CARDS.values())

    def card(self, name: str) -> ModelCard:
        """The card of that name; see `Worker.card`."""
        return card(name)

    def ready(self, model: str) -> str | None:
        """None if the model is loaded, else what it waits for; see `Worker.ready`."""
        if self._model is not None and self._model.card.name == model:
            return None
        return self._waiting.get(model, f"{card(model).title} is loaded with the first run.")

    def placed(self, model: str) -> str:
        """Where a loaded model runs and why; see `Worker.placed`."""
        loaded = self._model
        return loaded.placement_reason if loaded is not None and loaded.card.name == model else ""

    def reading(self, model: str, prompt: str) -> Reading:
        """What is made of the words of a prompt; see `Worker.reading`."""
        loaded = self._model
        if loaded is None or loaded.card.name != model or not self._device.acquire(blocking=False):
            return Reading()
        try:
            placement.use_threads(1)  # see _open
            return loaded.reading(prompt)
        finally:
            self._device.release()

    def load(self, model: str, tell: Callable[[str], None] | None = None) -> None:
        """Load a model, and let go of another one first; see `Worker.load`."""
        title = card(model).title

        def told(sentence: str) -> None:
            self._waiting[model] = sentence
            if tell is not None:
                tell(sentence)

        with self._loading:
            if self.ready(model) is None:
                return
            self._waiting[model] = f"{title} is being loaded."
            try:
                self._load(model, told)
            except CancelledError:
                self._waiting.pop(model, None)
                raise
            except Exception as error:
                why = str(error) if isinstance(error, InputError) else f"{title} could not be loaded: {error}"
                self._waiting[model] = why
                raise
            self._waiting.pop(model, None)

    def loras(self) -> list[str]:
        """Names of the files in the LoRA folder; see `Worker.loras`."""
        files = sorted(self._lora_dir.glob("**/*.safetensors"))
        return [str(file.relative_to(self._lora_dir).with_suffix("")) for file in files]

    def _lora(self, choice: LoraChoice) -> Lora:
        check_loras([choice], self.loras(), self._lora_dir)
        return Lora(self._lora_dir / f"{choice.name}.safetensors", choice.weight)

    def image_model(self) -> ModelCard:
        """The text-to-image model of `draw`; see `Worker.image_model`."""
        return image_model(self._sources.get(IMAGE_MODEL.name))

    def _fetched(self, model: str) -> ModelCard:
        """The card of what is fetched under a name."""
        return self.image_model() if model == IMAGE_MODEL.name else card(model)

    def _given(self, model: str) -> bool:
        """Whether the settings name the folder of a model."""
        return model in self._sources and not (
            model == IMAGE_MODEL.name and download.on_hub(self.image_model())
        )

    def is_here(self, model: str) -> bool:
        """Whether a model's weights are on this machine; see `Worker.is_here`."""
        return self._given(model) or download.is_here(self._fetched(model), self._networks.get(model, ()))

    def plan(self, model: str) -> tuple[int, str]:
        """What a download would bring; see `Worker.plan`."""
        of = self._fetched(model)
        if self._given(model) or not download.on_hub(of):
            return 0, f"The weights of {of.title} are in {self._sources.get(model, of.source)}."
        wanted = download.plan(of, self._networks.get(model, ()))
        return wanted.missing, wanted.sentence

    def fetch(self, model: str, tell: Callable[[str], None]) -> None:
        """Download what is missing; see `Worker.fetch`."""
        download.fetch(self._fetched(model), tell, self._networks.get(model, ()))

    def draw(self, model: str, prompt: str, seed: int, **how: Any) -> Frames:
        """A guide image for a model; see `Worker.draw`."""
        from models.guide_image import draw

        how["source"] = how.get("source") or self._sources.get(IMAGE_MODEL.name)
        with self._device:
            return draw(prompt, seed, card(model), device=self._device_name, **how)

    def search(self, task: Task) -> Generator[Step | Rough, None, None]:
        """Make the candidates of a task; see `Worker.search`."""
        with self._device:
            model, session = self._open(task)
            shown: dict[Clip, tuple[Clip, str]] = {}

            def judge(clip: Clip) -> tuple[dict[str, float], float]:
                seen = _as_shown(task, session.conditioning, clip)
                scores, rank, problem = self._judged(session.conditioning, seen)
                shown[clip] = seen, problem
                return scores, rank

            begin = partial(model.begin, session.conditioning)
            found = search.candidates(
                begin, task.request, judge, advance=model.advance, at_once=self._at_once
            )
            for event in found:
                if isinstance(event, Rough):
                    if event.run is not None:
                        session.runs[event.seed] = event.run
                    self._decode_seconds[_size(task)] = event.decode_seconds
                    clip, problem = shown.pop(event.clip)
                    event = replace(event, run=None, clip=clip, problem=problem)  # noqa: PLW2901
                yield event

    def finish(self, task: Task, seed: int) -> Generator[Step | Live | Decoded | Finished, None, None]:
        """The full run of one initial noise; see `Worker.finish`."""
        with self._device:
            model, session = self._open(task)
            kept = session.runs.get(seed)
            run = kept or model.begin(session.conditioning, seed, task.request.num_inference_steps)
            try:
                for event in search.finish(run, partial(self._look, _size(task))):
                    if isinstance(event, Finished):
                        self._decode_seconds[_size(task)] = event.decode_seconds or 0.0
                        clip = _as_shown(task, session.conditioning, event.clip)
                        guides = session.conditioning.num_guide_frames
                        yield Decoded(seed, clip, guides)
                        scores = self._judged(session.conditioning, clip)[0]
                        event = replace(event, clip=clip, scores=scores, num_guide_frames=guides)  # noqa: PLW2901
                    yield event
            except GeneratorExit:  # cancelled: a suspended run stays where it is
                raise
            except BaseException:
                session.runs.pop(seed, run).close()
                raise
            finally:
                if kept is None:
                    run.close()

    def release(self, key: str) -> None:
        """Close the suspended runs of a gallery; see `Worker.release`."""
        self._sessions.release(key)

    def close(self) -> None:
        """Let go of all runs and of the model."""
        self._sessions.clear()
        with self._loading:
            if self._model is not None:
                self._model.close()
            self._model = None

    def _load(self, model: str, tell: Callable[[str], None]) -> None:
        threads = self._threads = self._threads or placement.threads()
        placement.use_threads(1)  # see _open
        self._sessions.clear()
        if self._model is not None:
            self._model.close()
            self._model = None
            give_freed_memory_back()
        loaded = load_model(
            model,
            device=self._device_name,
            source=self._sources.get(model),
            tell=tell,
            threads=threads,
            networks=self._networks.get(model),
            tiny_decoder=self._tiny_decoders.get(model),
        )
        if self._scorers is None:
            from models.scoring import default_scorers

            wishes = self._device_name or placement.Wishes()
            device = placement.Wishes(wishes.device)  # how the model's weights are kept is not the scorers'
            place = placement.choose(card(model), placement.this_machine(device), device)
            self._scorers = default_scorers(place.device, clip=self._sources.get("clip"))
        self._model = loaded

    def _open(self, task: Task) -> tuple[VideoModel, Session]:
        """The loaded model, and the session of a task: encoded once, used by all its candidates."""
        request = task.request
        self.load(request.model)
        assert self._model is not None
        # A second pool of threads beside the run's would let both sleep between any two operations: OpenMP
        # stops spinning when it has more threads than the machine has cores.
        placement.use_threads(1)
        session = self._sessions.get(task.key)
        if session is None:
            conditioning = self._model.encode(
                request.prompt,
                negative_prompt=request.negative_prompt,
                guide=task.guide,
                last_image=task.last_image,
                loras=[self._lora(choice) for choice in request.loras],
                guidance_scale=request.guidance_scale,
                height=request.height,
                width=request.width,
                num_frames=request.num_frames,
            )
            session = self._sessions.add(task.key, conditioning)
        return self._model, session

    def _judge(self, conditioning: Conditioning, clip: Clip) -> tuple[dict[str, float], float]:
        """Every score that has something to say, and the rank they make."""
        from models.scoring import rank

        scores: dict[str, float] = {}
        for scorer in self._scorers or ():
            value = scorer.score(clip, conditioning)
            if value is not None:
                scores[scorer.name] = float(value)
        return scores, float(rank(scores, conditioning.guide is not None))

    def _judged(self, conditioning: Conditioning, clip: Clip) -> tuple[dict[str, float], float, str]:
        """Scores and rank, or none, the last place and why: the clip is paid for, whoever can judge it."""
        try:
            return *self._judge(conditioning, clip), ""
        except Exception as error:
            _LOG.warning("a clip could not be judged", exc_info=True)
            return {}, -math.inf, sentence_of(error)

    def _look(self, size: tuple[str, int, int, int], run: DenoisingRun, since: float) -> Clip | None:
        """What a run is at, or None: nothing in short waits, nor where looking fails."""
        if since < LOOK_AFTER or self._live_share == 0:
            return None
        try:
            clip = self._looked(size, run, since)
        except Exception:  # a look must not cost the run that is paid for
            _LOG.warning("the look into the run %s failed", run.seed, exc_info=True)
            return None
        return None if clip is None else _even(clip)

    def _looked(self, size: tuple[str, int, int, int], run: DenoisingRun, since: float) -> Clip | None:
        """The full decoder where it fits its share of the time, else a glimpse."""
        known = self._decode_seconds.get(size)
        if known is None or known > self._live_share * since:
            return run.glimpse()
        begun = time.perf_counter()
        clip = run.preview()
        self._decode_seconds[size] = max(known, time.perf_counter() - begun)
        return clip


def _as_shown(task: Task, conditioning: Conditioning, clip: Clip) -> Clip:
    """The clip in the colours of the guide that it repeats, if that is asked for, and with a smooth seam."""
    from models.seam import smooth_seam

    guide, repeated = conditioning.guide, conditioning.num_guide_frames
    if guide is None or repeated == 0:
        return clip
    if task.request.match_colours:
        clip = Clip(match_colours(clip.frames, guide[0]), clip.fps)
    return smooth_seam(clip, guide, repeated) if task.continues else clip


def _even(clip: Clip) -> Clip:
    """The clip without its last row or column where a video file could not hold it."""
    height, width = clip.height // 2 * 2, clip.width // 2 * 2
    return Clip(clip.frames[:, :height, :width], clip.fps)


def _size(task: Task) -> tuple[str, int, int, int]:
    """What the time of decoding depends on."""
    request = task.request
    return request.model, request.height, request.width, request.num_frames
