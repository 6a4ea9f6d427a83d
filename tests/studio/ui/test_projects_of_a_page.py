"""The page without a browser: where new work goes."""

from concurrent.futures import ThreadPoolExecutor, wait
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image

from studio.errors import InputError
from studio.timeline import with_candidate, with_gallery, with_segment
from studio.ui import layout
from studio.ui.memory import remembered
from studio.ui.page import Page, build
from studio.ui.panels import projects, timeline
from tests.studio import samples


@pytest.fixture
def page(studio):
    with gr.Blocks() as blocks:
        return Page(**vars(layout.place(studio)), studio=studio, examples=[], blocks=blocks)


def began(page, visit="a", turn=1, title=""):
    with page.project({"visit": visit, "turn": turn}, title) as project_id:
        return project_id


def test_work_goes_to_the_open_project(page, studio):
    opened = studio.create_project().id
    with page.project({"project": opened, "visit": "a", "turn": 1}) as project_id:
        assert project_id == opened
    assert len(studio.projects()) == 1


@pytest.fixture
def shared(studio, monkeypatch):
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"shared": True}))


def begun_by(page, visitor):
    with page.project({"visitor": visitor, "visit": visitor, "turn": 1}) as project_id:
        return project_id


@pytest.mark.usefixtures("shared")
def test_where_strangers_share_the_studio_each_lists_what_their_browser_began(page):
    mine, other = begun_by(page, "a"), begun_by(page, "b")
    assert [each.id for each in page.listed({"visitor": "a"})] == [mine]
    assert [each.id for each in page.listed({"visitor": "b"})] == [other]
    assert page.listed({}) == []


@pytest.mark.usefixtures("shared")
def test_a_strangers_project_opens_by_its_link(page):
    project = begun_by(page, "a")
    drawn = page.draw({"project": project, "visitor": "b"}, "")
    assert drawn[page.where]["project"] == project
    assert drawn[page.projects]["items"] == []


@pytest.mark.usefixtures("shared")
def test_only_who_began_a_project_deletes_it(page, studio):
    project = begun_by(page, "a")
    with pytest.raises(InputError, match="Only the browser that began"):
        page.delete({"visitor": "b"}, project)
    assert studio.project(project)
    page.delete({"visitor": "a"}, project)
    assert studio.projects() == []


@pytest.fixture
def events(page):
    """The handlers of the projects and the timeline, by name."""
    known = {}
    listen = page.listen
    page.listen = lambda event, handler, *more, **how: known.update({handler.__name__: handler})
    projects.bind(page)
    timeline.bind(page)
    page.listen = listen
    return known


@pytest.mark.usefixtures("shared")
def test_only_who_began_a_project_renames_it(page, studio, events):
    project = begun_by(page, "a")
    before = studio.project(project).title
    told = events["rename"]({"project": project, "visitor": "b"}, "", "Mine now")
    assert "Only the browser that began a project can rename it" in told[page.notice]["sentence"]
    assert told[page.title]["value"] == before == studio.project(project).title
    events["rename"]({"project": project, "visitor": "a"}, "", "Mine")
    assert studio.project(project).title == "Mine"


@pytest.mark.usefixtures("shared")
def test_only_who_began_a_project_deletes_its_endings(page, studio, events, monkeypatch):
    project, deleted = begun_by(page, "a"), []
    monkeypatch.setattr(studio, "delete_ending", lambda *which: deleted.append(which))
    ending = SimpleNamespace(_data={"id": "ending"})
    told = events["discard"]({"project": project, "visitor": "b"}, "", ending)
    assert "can delete its endings" in told[page.notice]["sentence"]
    assert deleted == []
    events["discard"]({"project": project, "visitor": "a"}, "", ending)
    assert deleted == [(project, "ending")]


def test_a_title_that_was_only_looked_at_says_whose_it_is(page, studio, events):
    """By its place the browser knows an answer that comes when the next project is open already."""
    where = page.draw({"project": studio.create_project("Beech").id}, "")[page.where]
    told = events["rename"](where, "", "Beech")
    assert told[page.title]["value"] == "Beech"
    assert told[page.where]["project"] == where["project"]


def test_who_may_not_delete_the_open_project_stays_there(page, studio, events, monkeypatch):
    def refuse(project_id):
        raise InputError("Another program runs that job. Cancel it there.")

    project = studio.create_project().id
    monkeypatch.setattr(studio, "delete_project", refuse)
    told = events["remove"]({"project": project}, "", SimpleNamespace(_data={"id": project}))
    assert told[page.notice]["sentence"] == "Another program runs that job. Cancel it there."
    assert told[page.where]["project"] == project


def test_a_project_that_was_deleted_in_another_tab_is_left(page, studio, events):
    project = studio.create_project().id
    studio.delete_project(project)
    told = events["remove"]({"project": project, "head": ""}, "", SimpleNamespace(_data={"id": project}))
    assert not told[page.where].get("project")


def test_alone_any_browser_deletes_all(page, studio):
    page.delete({"visitor": "b"}, begun_by(page, "a"))
    assert studio.projects() == []


def test_alone_a_browser_lists_all(page):
    begun_by(page, "a")
    assert len(page.listed({"visitor": "b"})) == 1


def test_an_empty_page_begins_a_project(page, studio):
    assert studio.project(began(page, title="A fox")).title == "A fox"


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def opened(page, events, project, memory=None):
    """What is drawn when a project is opened from another one that shows images."""
    asked = SimpleNamespace(_data={"id": project})
    elsewhere = {"project": page.studio.create_project().id, "head": "", "stamps": {}}
    return events["open_"](elsewhere, "", memory, asked)


def test_an_opened_project_shows_the_images_that_were_given_to_it(page, studio, events, request_, picture):
    project = studio.create_project().id
    first, last = (studio.add_guide(project, picture) for _ in range(2))
    wanted = request_.model_copy(update={"guide": first, "last_image": last})
    drawn = opened(page, events, project, remembered({"project": project, "head": ""}, wanted, "42"))
    assert drawn[page.composer.guide]["name"] == first
    assert (drawn[page.composer.ending]["name"], drawn[page.composer.ending]["last"]) == (last, True)
    assert drawn[page.composer.seed] == "42"
    assert page.composer.seed in page.drawn()


def test_only_a_film_that_began_here_keeps_what_the_inputs_held(page, events):
    assert page.draw({"project": began(page), "turn": 1}, "")[page.where]["begun"]
    assert not opened(page, events, began(page, turn=2))[page.where]["begun"]


@pytest.fixture
def waiting(studio, request_, picture):
    """A project whose candidates wait for a pick; an image was given to begin and one to end with."""
    project = studio.create_project()
    first, last = (studio.add_guide(project.id, picture) for _ in range(2))
    wanted = request_.model_copy(update={"guide": first, "last_image": last})
    made = with_gallery(project, samples.gallery().model_copy(update={"request": wanted}))
    studio.store.save(made)
    return made


def images(page, drawn):
    return [drawn[part].get("name") for part in (page.composer.guide, page.composer.ending)]


def test_a_browser_that_remembers_nothing_shows_the_images_of_the_waiting_candidates(page, events, waiting):
    request = waiting.gallery.request
    assert images(page, opened(page, events, waiting.id)) == [request.guide, request.last_image]


def test_images_that_were_taken_away_stay_away(page, events, waiting, request_):
    taken = remembered({"project": waiting.id, "head": ""}, request_, "")
    assert images(page, opened(page, events, waiting.id, taken)) == [None, None]
    once = page.draw({"project": waiting.id, "head": ""}, "")
    candidate = with_candidate(waiting.gallery, waiting.gallery.candidates[0])
    page.studio.store.save(with_gallery(waiting, candidate))
    again = page.draw(once[page.where], "")
    assert not {page.composer.guide, page.composer.ending} & set(again)


def test_undo_brings_the_images_of_a_first_chunk_back(page, studio, events, waiting):
    request = waiting.gallery.request
    candidates = waiting.gallery.candidates
    studio.store.save(with_segment(waiting, samples.segment(request=request, candidates=candidates)))
    film = page.draw({"project": waiting.id}, "")
    assert images(page, film) == [None, None]
    undone = events["undo"](film[page.where], "")
    assert images(page, undone) == [request.guide, request.last_image]


def test_who_opens_the_page_is_offered_what_came_to_this_machine_since_it_started(studio, monkeypatch):
    blocks = build(studio)
    monkeypatch.setattr(studio.worker, "is_here", lambda model: True)
    monkeypatch.setattr(studio.worker, "loras", lambda: ["grain"])
    arrive = next(each.fn for each in blocks.fns.values() if each.name == "arrive")
    drawn = arrive({}, "", {}, SimpleNamespace(query_params={}))
    offered = {part.elem_id: value for part, value in drawn.items() if part.elem_id in ("model", "loras")}
    assert (offered["loras"]["choices"], offered["loras"]["visible"]) == (["grain"], True)
    assert not any("download" in title for title, _ in offered["model"]["choices"])


@pytest.mark.parametrize(("box", "again"), [("", "a boat"), ("it snows", None)])
def test_undo_brings_back_what_a_new_shot_was_made_from(page, studio, events, request_, picture, box, again):
    project, first = studio.create_project(), samples.segment()
    given = {"prompt": "a boat", "cut": True, "guide": studio.add_guide(project.id, picture)}
    shot = samples.segment(first.id, request=request_.model_copy(update=given))
    studio.store.save(with_segment(with_segment(project, first), shot))
    undone = events["undo"](page.draw({"project": project.id}, "")[page.where], box)
    assert undone[page.composer.prompt].get("value") == undone[page.where].get("left") == again
    assert undone[page.composer.cut]["value"] is True
    assert images(page, undone) == [given["guide"], None]


def test_undo_again_puts_the_earlier_words_before_the_later_ones(page, studio, events, request_):
    project, head = studio.create_project(), None
    for prompt in ("a fox", "the fox jumps", "the fox sleeps"):
        chunk = samples.segment(head, request=request_.model_copy(update={"prompt": prompt}))
        project, head = with_segment(project, chunk), chunk.id
    studio.store.save(project)
    drawn, box = page.draw({"project": project.id}, ""), ""
    for words in ("the fox sleeps", "the fox jumps\nthe fox sleeps", "a fox\nthe fox jumps\nthe fox sleeps"):
        drawn = events["undo"](drawn[page.where], box)
        box = drawn[page.composer.prompt]["value"]
        assert box == drawn[page.where]["left"] == words


def test_the_first_answer_keeps_who_asks_and_what_was_given_before_it_came(studio):
    blocks = build(studio)
    arrive = next(each.fn for each in blocks.fns.values() if each.name == "arrive")
    asked = SimpleNamespace(query_params={})
    drawn = {
        part.elem_id: value for part, value in arrive({"visit": "1", "visitor": "a"}, "", {}, asked).items()
    }
    assert (drawn["where"]["visit"], drawn["where"]["visitor"]) == ("1", "a")
    assert not {"guide", "ending"} & set(drawn)


def test_two_events_that_leave_an_empty_page_together_share_a_project(page, studio):
    assert began(page) == began(page)
    assert len(studio.projects()) == 1


def test_two_events_that_come_at_the_same_moment_share_a_project(page, studio):
    with ThreadPoolExecutor(1) as pool:
        with page.project({"visit": "a", "turn": 1}) as first:
            second = pool.submit(began, page)
            assert not wait([second], timeout=0.2).done
        assert second.result() == first
    assert len(studio.projects()) == 1


def test_who_uploads_for_long_keeps_no_other_page_waiting(page):
    with ThreadPoolExecutor(1) as pool, page.project({"visit": "a", "turn": 1}):
        assert pool.submit(began, page, visit="b").result(timeout=60)


def test_another_page_or_a_later_turn_has_a_project_of_its_own(page):
    assert len({began(page), began(page, visit="b"), began(page, turn=2)}) == 3


def test_pages_that_do_not_say_who_they_are_share_nothing(page):
    assert began(page, visit=None) != began(page, visit=None)


def test_a_project_whose_first_work_is_refused_is_gone_again(page, studio):
    with pytest.raises(InputError), page.project({"visit": "a", "turn": 1}):
        raise InputError("no")
    assert studio.projects() == []
    assert began(page) in {each.id for each in studio.projects()}


def test_a_project_that_was_deleted_meanwhile_is_not_taken_up_again(page, studio):
    first = began(page)
    studio.delete_project(first)
    assert began(page) != first
