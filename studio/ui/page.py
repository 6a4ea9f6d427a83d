"""The page as a whole: what is drawn after every event, from what `Studio` says at that moment.

The browser holds only where it stands, so that a reload, a second tab and a restarted server show the same.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.autopilot import scenes
from studio.errors import InputError
from studio.sentences import sentence_of
from studio.studio import Studio
from studio.timeline import Project, new_id
from studio.ui import layout, views
from studio.ui.beginnings import Beginnings
from studio.ui.downloads import Downloads
from studio.ui.live import sent, sent_first
from studio.ui.look import Look, Where, interruption, look, media_url, stamp
from studio.ui.memory import Memory, recalled
from studio.ui.panels import autopilot, gallery, images, job, player, projects, search, shot, timeline

if TYPE_CHECKING:
    from studio.store import ProjectSummary

Verb = Callable[[Where], Any]
Drawn = dict[Any, Any]
LOG = logging.getLogger(__name__)
KEPT_SECONDS = 24 * 3600
"""How long Gradio keeps what was uploaded; what is used lies in its project by then."""


@dataclass
class Page(layout.Parts):
    """The parts of the page together with the studio whose state they show."""

    studio: Studio
    examples: list[dict[str, str]]
    blocks: gr.Blocks
    beginnings: Beginnings = field(default_factory=Beginnings)
    model_changed: Any = None
    """The event after which every input has the limits of another model; `search` makes it."""

    def __post_init__(self) -> None:
        self.downloads = Downloads(self.studio)

    def listen(
        self,
        event: Callable[..., Any],
        handler: Callable[..., Drawn],
        *more: Any,
        checked: bool = True,
        together: bool = False,
        js: str = sent(),
    ) -> None:
        """Call `handler(where, prompt, *more)` on an event and draw what it returns. Cheap, so not queued.

        Whatever goes wrong is told in the notice: Gradio shows nothing of an event that is not queued.

        Args:
            event: of a part of the page.
            handler: does it.
            more: further inputs.
            checked: whether Gradio holds the inputs against their limits first. It does so in silence; a
                handler that checks them itself tells what is wrong.
            together: whether the event may come again before it has been answered.
            js: changes what is sent; see `live.sent`.
        """

        @wraps(handler)
        def told(where: Where, prompt: str, *rest: Any) -> Drawn:
            try:
                return handler(where, prompt, *rest)
            except Exception as error:
                LOG.exception("an event of the page failed")
                return self.draw(where, prompt, sentence_of(error))

        event(
            told,
            inputs=[self.where, self.composer.prompt, *more],
            outputs=self.drawn(),
            queue=False,
            preprocess=checked,
            js=js,
            trigger_mode="multiple" if together else None,
            show_progress="hidden",
            api_visibility="private",
        )

    @contextmanager
    def project(self, where: Where, title: str = "") -> Iterator[str]:
        """The project where the page stands, or a new one, which is gone again if the work in it is refused.

        Two events that leave an empty page one after the other, before the first has been answered, get the
        same one.
        """
        if where.get("project"):
            yield str(where["project"])
            return
        begun = self.beginnings.of(where.get("visit"), where.get("turn") or 0)
        with begun.turn:
            if begun.project is not None and any(each.id == begun.project for each in self.studio.projects()):
                yield begun.project
                return
            made = self.studio.create_project(title, str(where.get("visitor") or "")).id
            try:
                yield made
            except InputError:
                self.studio.delete_project(made)
                raise
            begun.project = made

    def drawn(self) -> list[Any]:
        """Everything that `draw` may change."""
        composer = self.composer
        panels = [self.where, self.notice, self.status, self.projects, self.gallery, self.player]
        inputs = [self.job, self.timeline, self.title, self.clock, composer.prompt, composer.search]
        pictures = [composer.upload, composer.guide, composer.ending, composer.end_upload]
        more = [composer.cut, composer.film, composer.film_seconds, composer.seed]
        return [*panels, *inputs, *more, *pictures, *composer.kept().values()]

    def after(self, where: Where, prompt: str, verb: Verb) -> Drawn:
        """Do something, then draw; what a person can mend is told in a sentence and has changed nothing.

        Args:
            where: what the browser holds.
            prompt: what stands in the prompt box.
            verb: what to do; a dict that it returns changes `where`.
        """
        try:
            done = verb(where)
        except InputError as problem:
            return self.draw(where, prompt, str(problem))
        return self.draw({**where, **done} if isinstance(done, dict) else where, prompt)

    def draw(self, where: Where, prompt: str, sentence: str | None = "") -> Drawn:
        """The parts that have changed since the browser last drew them.

        Args:
            where: what the browser holds.
            prompt: what stands in the prompt box.
            sentence: what to tell the person; empty takes away what was told before, None leaves it.
        """
        try:
            seen = look(self.studio, where)
        except InputError as problem:
            seen, sentence = Look(self.studio), str(problem)
        stamps, had, changes = {}, where.get("stamps") or {}, {}
        for name, (part, value, update) in self.shown(seen, self.listed(where)).items():
            stamps[name] = stamp(value)
            if stamps[name] != had.get(name):
                changes[part] = update
        turn = int(where.get("turn") or 0) + (sentence is not None)
        if seen.trouble or sentence is not None:  # with the turn, as the same words may be news again
            changes[self.notice] = {"sentence": seen.trouble or sentence, "turn": turn}
        held = {"visit": where.get("visit"), "visitor": where.get("visitor"), "turn": turn, "stamps": stamps}
        held["moved"] = "head" not in where
        held["begun"] = "project" in seen.where and held["moved"] and not where.get("opened")
        left = self.unsaid(seen, prompt) if "head" in where else None
        got_on = seen.where.get("head") != where.get("head") or bool(where.get("arrived"))
        if got_on and left is not None:
            changes[self.composer.prompt] = gr.update(value=left, **self.words(seen))
            held["left"] = left
        if seen.where.get("head", "") != (where.get("head") or ""):
            # the lines that wait begin as it was chosen, and so does what candidates wait for
            shown: dict[str, Any] = {"visible": bool(seen.where.get("head") or left)}
            waits = seen.gallery is not None and seen.gallery.request.cut
            changes[self.composer.cut] = gr.update(**shown if left else {**shown, "value": waits})
        if seen.project is not None:
            settings = {} if where.get("settled") == seen.project.id else self.settings_of(seen.project)
            changes |= settings
            held["settled"] = seen.project.id if settings else where.get("settled")
        return {**changes, self.where: {**seen.where, **held}}

    def keep_up(self, where: Where, prompt: str) -> Drawn:
        """Draw what has come; nothing before the first answer, which alone knows the address."""
        return self.draw(where, prompt, None) if "stamps" in where else {self.where: gr.skip()}

    def settings_of(self, project: Project) -> Drawn:
        """The inputs as what waits for a pick was asked for, or the newest chunk of the film."""
        if project.gallery is not None:
            last = project.gallery.request
        elif project.head is not None:
            last = project.segment(project.head).request
        else:
            return {}
        card = next((each for each in self.studio.cards() if each.name == last.model), None)
        return {} if card is None else self.composer.filled(card, last)  # others made films elsewhere

    def listed(self, where: Where) -> "list[ProjectSummary]":
        """All projects; those that this browser began where strangers share the studio."""
        shared = self.studio.settings.shared
        return self.studio.projects(str(where.get("visitor") or "") if shared else None)

    def own(self, where: Where, project_id: str, do: str) -> None:
        """Hold what cannot be taken back to who began the project.

        Args:
            where: what the browser holds.
            project_id: of the project.
            do: what is to be done, such as `rename it`.

        Raises:
            InputError: where strangers share the studio, if another browser began it.
        """
        if self.studio.settings.shared and project_id not in {each.id for each in self.listed(where)}:
            raise InputError(f"Only the browser that began a project can {do}.")

    def delete(self, where: Where, project_id: str) -> None:
        """Remove a project.

        Raises:
            InputError: if there is none of that id, or, where strangers share the studio, another browser's.
        """
        self.own(where, project_id, "delete it")
        self.studio.delete_project(project_id)

    def shown(self, seen: Look, projects: "list[ProjectSummary]") -> dict[str, tuple[Any, Any, Any]]:
        """Every part by name: the component, what it shows, and the update that shows it."""
        composer, busy = self.composer, seen.job is not None
        current = seen.where.get("project", "")
        listed = views.projects_view(
            projects, current, lambda project_id, name: media_url(self.studio, project_id, name)
        )
        worker, used = self.studio.worker, views.model_of(seen.project)
        known = any(card.name == used for card in worker.cards())  # films come from elsewhere too
        model = used if known else self.studio.settings.model
        status = views.status_view(worker.ready(model), worker.placed(model))
        panels: list[tuple[str, Any, Any]] = [
            ("status", self.status, status),
            ("projects", self.projects, listed),
            ("gallery", self.gallery, views.gallery_view(seen)),
            ("player", self.player, views.player_view(seen, self.examples)),
            ("job", self.job, views.job_view(seen.job)),
            ("timeline", self.timeline, views.timeline_view(seen)),
        ]
        title = seen.project.title if seen.project else ""
        words = self.words(seen)
        first = seen.project is None or seen.project.head is None
        guide, ending = views.given_views(seen)
        # without what was given: what somebody takes away while candidates come stays away
        there = [current, seen.where.get("head", "")]
        pace = layout.BUSY_SECONDS if busy else layout.IDLE_SECONDS
        return {name: (part, view, view) for name, part, view in panels} | {
            "title": (self.title, title, gr.update(value=title)),
            "clock": (self.clock, pace, gr.Timer(pace)),
            "prompt": (composer.prompt, words, gr.update(**words)),
            "search": (composer.search, busy, gr.update(interactive=not busy)),
            "film": (composer.film, busy, gr.update(interactive=not busy)),
            "upload": (composer.upload, first, gr.update(visible=first)),
            "guide": (composer.guide, [*there, views.first_frame_view(seen)], guide),
            "ending": (composer.ending, there, ending),
        }

    def words(self, seen: Look) -> dict[str, Any]:
        """Label and placeholder of the prompt box."""
        return views.prompt_words(seen.project)

    def unsaid(self, seen: Look, prompt: str) -> str | None:
        """The scenes in the box that come after the newest chunk; None if the box does not hold that one."""
        project, lines = seen.project, scenes(prompt)
        newest = project.segment(project.head).request.prompt if project and project.head else None
        return "\n".join(lines[lines.index(newest) + 1 :]) if newest in lines else None


def build(studio: Studio) -> gr.Blocks:
    """The page over a started studio."""
    cache = (KEPT_SECONDS, KEPT_SECONDS)
    with gr.Blocks(
        title="Chunkwise Studio", analytics_enabled=False, fill_width=True, delete_cache=cache
    ) as blocks:
        parts = layout.place(studio)
        page = Page(**vars(parts), studio=studio, examples=player.examples(), blocks=blocks)
        for panel in (search, shot, autopilot, gallery, images, job, player, projects, timeline):
            panel.bind(page)
        page.listen(page.clock.tick, page.keep_up)

        def arrive(where: Where, known: str, memory: Memory | None, request: gr.Request) -> Drawn:
            project_id = request.query_params.get("project", "")
            visit, visitor = where.get("visit") or new_id(), known or where.get("visitor") or new_id()
            at = {"project": project_id, "opened": True, "visit": visit, "visitor": visitor}
            drawn = page.draw(at, "", interruption(studio, project_id))
            # what the box holds is put back by the browser, and looked at with the next tick
            # not a turn: what the person did before this answer came is newer
            there = {**drawn[page.where], "arrived": True, "turn": 0}
            if not project_id:  # an image may have been given by now
                del drawn[page.composer.guide], drawn[page.composer.ending]
            drawn = {**drawn, **recalled(page, memory, drawn[page.where]), page.where: there}
            offered = page.composer.offered(studio.cards(), studio.worker.is_here, studio.worker.loras())
            return {**drawn, **{part: {**offered[part], **drawn.get(part, {})} for part in offered}}

        how: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        blocks.load(arrive, [page.where, page.known, page.memory], page.drawn(), js=sent_first(), **how)
    return blocks
