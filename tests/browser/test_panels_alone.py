"""Panels without the page around them: the script of one in an empty document, over a value of the test."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import ROOT

pytestmark = pytest.mark.browser

SCRIPTS, SHEETS = ROOT / "assets" / "js", ROOT / "assets" / "css"
ADDRESS = "http://studio.test/"
STAND_IN = """([name, script, value]) => {
    window.props = {value};
    window.triggered = [];
    new Function("element", "props", "trigger", "watch", script)(
        document.getElementById(name), window.props, (event) => triggered.push(event),
        (_, draw) => { window.draw = draw; }
    );
}"""

GIVE = """() => {
    const body = new FormData();
    body.append("files", new File(["a fox"], "fox.png"));
    fetch("/gradio_api/upload", { method: "POST", body });
}"""

Opened = Callable[..., Page]


@pytest.fixture
def panel(browser) -> Iterator[Opened]:
    """Open one panel; `show` gives it another value, as the server would."""
    contexts = []

    def opened(name: str, value: dict[str, Any], beside: str = "", width: int = 390, **options: Any) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, **options))
        page = contexts[-1].new_page()
        style = "".join((SHEETS / sheet).read_text() for sheet in ("studio.css", "narrow.css"))
        body = f"<style>{style}</style><div class=gradio-container><div id={name}></div>{beside}</div>"
        page.route(ADDRESS, lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"))
        page.goto(ADDRESS)
        script = "\n".join((SCRIPTS / f"{each}.js").read_text() for each in ("dom", name))
        page.evaluate(STAND_IN, [name, script, value])
        return page

    yield opened
    for context in contexts:
        context.close()


def show(page: Page, value: dict[str, Any]) -> None:
    page.evaluate("value => { props.value = value; draw(); }", value)


@pytest.mark.parametrize(
    ("time", "total", "words"),
    [(3.21, 12.5, "3.2 / 12.5 s"), (75, 80, "1:15 / 1:20"), (59.9, 119.8, "0:59 / 1:59")],
)
def test_the_clock_tells_both_times_in_the_same_way(panel, time: float, total: float, words: str) -> None:
    page = panel("player", {"url": "data:,"}, width=1280)
    page.evaluate(
        """([time, total]) => {
            const film = document.querySelector("video.film");
            Object.defineProperty(film, "duration", { value: total });
            Object.defineProperty(film, "currentTime", { value: time });
            film.dispatchEvent(new Event("timeupdate"));
        }""",
        [time, total],
    )
    assert page.locator(".clock").text_content() == words


def strip(chunks: int) -> dict[str, Any]:
    """What the timeline shows of a film whose chunks play for two seconds each."""
    words = {"prompt": "a fox", "poster": "", "ratio": 1, "note": "2 s", "short": "2 s", "facts": []}
    items = [{**words, "key": str(each), "seconds": 2, "start": 2.0 * each} for each in range(chunks)]
    return {"items": items, "others": [], "undoable": True}


def play_to(page: Page, time: float) -> None:
    detail = {"time": time, "total": 16}
    page.evaluate("detail => dispatchEvent(new CustomEvent('studio:time', { detail }))", detail)


def scroll_to_the_beginning(page: Page) -> None:
    page.locator(".reel").hover()
    page.mouse.wheel(-5000, 0)
    page.wait_for_function("document.querySelector('.reel').scrollLeft === 0")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_strip_shows_the_chunk_that_was_just_made(panel, motion: str) -> None:
    page = panel("timeline", strip(7), reduced_motion=motion)
    expect(page.locator(".segment").last).not_to_be_in_viewport()
    show(page, strip(8))
    expect(page.locator(".segment").last).to_be_in_viewport(ratio=0.9)


def test_the_strip_goes_along_with_the_playhead(panel) -> None:
    page = panel("timeline", strip(8), reduced_motion="reduce")
    for time in (15.0, 1.0):
        play_to(page, time)
        expect(page.locator(".playhead")).to_be_in_viewport()


def test_a_strip_that_somebody_scrolls_stays_there_until_they_do_something_else(panel) -> None:
    page = panel("timeline", strip(7), reduced_motion="reduce")
    play_to(page, 13.0)
    scroll_to_the_beginning(page)
    play_to(page, 13.5)
    show(page, strip(8))
    expect(page.locator(".segment").last).not_to_be_in_viewport()
    page.locator("h2").click()
    play_to(page, 15.0)
    expect(page.locator(".segment").last).to_be_in_viewport()


def test_a_file_on_its_way_is_told_and_one_that_does_not_arrive_too(panel) -> None:
    page = panel("files", {})
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/upload", hold)
    page.evaluate("addEventListener('studio:wrong', (event) => { window.told = event.detail.sentence; })")
    page.evaluate(GIVE)
    on_its_way = page.get_by_text("Sending “fox.png”")
    expect(on_its_way).to_be_visible()
    held[0].abort()
    page.wait_for_function("window.told?.startsWith('“fox.png” did not arrive')")
    expect(on_its_way).to_have_count(0)
    page.evaluate(GIVE)
    assert page.evaluate("window.told") == ""


@pytest.mark.parametrize("finger", [False, True])
def test_only_who_has_a_keyboard_is_told_which_keys_to_press(panel, finger: bool) -> None:
    waiting = {"id": "1", "sentence": "Choose one.", "keys": "Click it, or press the key 1."}
    page = panel("gallery", waiting, has_touch=finger, is_mobile=finger)
    expect(page.get_by_text("Choose one.")).to_be_visible()
    expect(page.get_by_text("press the key 1")).to_be_visible(visible=not finger)


def test_the_first_stop_of_the_tabulator_goes_to_the_prompt(panel) -> None:
    page = panel("brand", {}, beside="<div id=prompt><textarea></textarea></div>")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Go to the prompt")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#prompt textarea")).to_be_focused()
    assert page.url == ADDRESS


def test_the_space_key_plays_the_film_unless_it_is_typed(panel) -> None:
    page = panel(
        "player", {"url": "data:,"}, beside="<div id=prompt><textarea></textarea></div><button id=search>"
    )
    page.evaluate((SCRIPTS / "page.js").read_text())
    page.evaluate(
        "() => { window.plays = 0; HTMLMediaElement.prototype.play = async () => { plays += 1; }; }"
    )
    page.keyboard.press("Space")
    assert page.evaluate("window.plays") == 1
    page.locator("#prompt textarea").press("Space")
    assert page.evaluate("window.plays") == 1
    expect(page.locator("#prompt textarea")).to_have_value(" ")


def test_work_that_ends_is_not_said_to_be_done(panel) -> None:
    """It may have been stopped, or have failed; who cannot see it is told that in its own sentence."""
    page = panel("job", {"id": "a", "headline": "Searching", "message": "Candidate 1 of 4"})
    show(page, {"id": None})
    expect(page.get_by_role("status")).to_have_text("The work has ended")


@pytest.mark.parametrize(("wrong", "live"), [(True, "polite"), (False, "off")])
def test_a_refusal_under_the_button_is_read_aloud_and_a_price_is_not(panel, wrong: bool, live: str) -> None:
    page = panel("hint", {"sentence": "The seed is no whole number.", "wrong": wrong})
    expect(page.locator(".hint")).to_have_attribute("aria-live", live)


@pytest.mark.parametrize("name", ["Undo", "Carry on from here", "Switch to the ending “a cat”, 4 s"])
def test_a_step_that_would_drop_candidates_asks_first(panel, name: str) -> None:
    other = {"key": "other", "prompt": "a cat", "poster": "", "note": "4 s"}
    page = panel("timeline", {**strip(2), "others": [other], "waiting": "4 candidates"}, width=1280)
    page.locator(".segment .film").first.click()
    page.get_by_role("button", name=name, exact=True).click()
    question = page.get_by_role("button", name="Drop 4 candidates?")
    expect(question).to_be_visible()
    assert page.evaluate("window.triggered") == []
    question.click()
    assert page.evaluate("window.triggered") == ["undo" if name == "Undo" else "restart"]
    expect(question).to_have_count(0)


def test_a_step_that_drops_nothing_is_taken_at_once(panel) -> None:
    page = panel("timeline", strip(2))
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate("window.triggered") == ["undo"]


def test_words_as_long_as_a_paragraph_have_a_line_of_their_own_among_the_facts(panel) -> None:
    film = strip(1)
    film["items"][0]["facts"] = [["Seed", "7"], ["Keeps away from", "blurred, low quality, " * 12]]
    page = panel("timeline", film, width=1280)
    page.locator(".segment .film").click()
    seed, away, all_of_them = (
        page.locator(name).bounding_box()
        for name in (".detail dl > div:first-child", ".detail dl > div:last-child", ".detail dl")
    )
    assert seed and away and all_of_them
    assert seed["width"] < all_of_them["width"] / 2
    assert away["width"] == all_of_them["width"]


def test_a_film_that_gets_another_name_plays_on_where_it_was(panel) -> None:
    clip = base64.b64encode(next((ROOT / "assets" / "examples").glob("*.mp4")).read_bytes()).decode()
    film = {"url": f"data:video/mp4;base64,{clip}", "head": "a"}
    page = panel("player", film)
    page.locator("video.film").evaluate("film => { film.currentTime = 0.5; }")
    show(page, {**film, "url": film["url"] + "#renamed"})
    page.wait_for_function("document.querySelector('video.film').readyState > 1")
    assert page.evaluate("document.querySelector('video.film').currentTime") == 0.5
    show(page, {**film, "head": "b"})
    page.wait_for_function("document.querySelector('video.film').readyState > 1")
    assert page.evaluate("document.querySelector('video.film').currentTime") == 0


def test_on_a_phone_a_mistake_is_told_where_one_is(panel) -> None:
    """Not above the film, which would take whoever pressed the button away from the prompt."""
    page = panel("notice", {}, beside="<p style='height: 3000px'>")
    page.evaluate("scrollTo(0, 1500)")
    show(page, {"sentence": "The prompt is empty."})
    expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 1500


def test_whoever_begins_work_further_down_is_brought_to_the_stage(panel) -> None:
    beside = "<div id=stage style='height: 200px'></div><p style='height: 3000px'>"
    page = panel("job", {}, beside=beside, reduced_motion="reduce")
    page.evaluate("scrollTo(0, 1500)")
    show(page, {"id": "a", "headline": "Searching"})
    expect(page.locator("#stage")).to_be_in_viewport(ratio=1)
    page.evaluate("scrollTo(0, 1500)")
    show(page, {"id": "a", "headline": "Searching", "done": 1, "total": 4})
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == 1500


@pytest.mark.parametrize(("begun", "box"), [(True, "a fox runs"), (False, "")])
def test_words_for_a_new_film_go_along_with_it_and_not_into_one_that_is_opened(
    panel, begun: bool, box: str
) -> None:
    page = panel("where", {"turn": 1}, beside="<div id=prompt><textarea></textarea></div>")
    prompt = page.locator("#prompt textarea")
    prompt.fill("a fox runs")
    page.evaluate("sessionStorage.setItem('studio:draft:', 'a fox runs')")
    show(page, {"project": "a", "turn": 2, "moved": True, "begun": begun})
    expect(prompt).to_have_value(box)
    assert page.evaluate("window.triggered") == (["begun"] if begun else [])
    show(page, {"turn": 3, "moved": True})
    expect(prompt).to_have_value("" if begun else "a fox runs")
