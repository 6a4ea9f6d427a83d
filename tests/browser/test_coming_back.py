"""Nothing that was typed, set or given gets lost: after a reload, in another project, after a mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, Request, Response, Route, expect

from tests.browser.steps import make_segment, search, segments, set_number, small

pytestmark = pytest.mark.browser


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "beach.png"
    Image.fromarray(np.full((64, 64, 3), (230, 200, 120), np.uint8)).save(path)
    return path


def told(page: Page, inputs: str) -> None:
    """Wait until the browser keeps what the inputs hold."""
    page.wait_for_function("inputs => Object.values({ ...localStorage }).join().includes(inputs)", arg=inputs)


def test_a_reload_keeps_what_was_set_and_given(server, open_page, picture: Path) -> None:
    page = open_page(server.url)
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(picture)
    expect(page.locator("#guide .guide")).to_be_visible()
    small(page, candidates=3, steps=6)
    page.get_by_role("button", name="Advanced").click()
    page.locator("#seed input").fill("42")
    page.locator("#seed input").blur()
    expect(page.locator("#search")).to_contain_text("Search 3 candidates")
    told(page, '"seed":"42"')
    set_number(page, "film-seconds", 60)
    told(page, '"seconds":60')
    page.reload()
    expect(page.locator("#film-seconds input[type=number]")).to_have_value("60")
    expect(page.locator("#steps input[type=number]")).to_have_value("6")
    expect(page.locator("#candidates input[type=number]")).to_have_value("3")
    expect(page.locator("#guide .guide")).to_be_visible()
    page.get_by_role("button", name="Advanced").click()
    expect(page.locator("#seed input")).to_have_value("42")


def test_two_tabs_keep_what_was_given_in_each(server, open_page, picture: Path) -> None:
    page = open_page(server.url)
    other = page.context.new_page()
    other.goto(server.url)
    expect(other.locator("#status .pill.ready")).to_be_visible()
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(picture)
    expect(page.locator("#guide .guide")).to_be_visible()
    page.get_by_role("button", name="Advanced").click()
    page.locator("#seed input").fill("42")
    page.locator("#seed input").blur()
    told(page, '"seed":"42"')
    set_number(other, "candidates", 7)
    told(other, '"candidates":7')
    page.reload()
    expect(page.locator("#guide .guide")).to_be_visible()
    page.get_by_role("button", name="Advanced").click()
    expect(page.locator("#seed input")).to_have_value("42")
    other.reload()
    expect(other.locator("#candidates input[type=number]")).to_have_value("7")


def test_a_browser_remembers_the_20_projects_it_used_last(server, open_page) -> None:
    page = open_page(server.url)
    entries = {f"studio:inputs:p{at}": json.dumps({"at": at}) for at in range(10, 35)}
    page.evaluate("entries => Object.assign(localStorage, entries)", entries)
    expect(page.locator("#status .pill.ready")).to_be_visible()
    set_number(page, "candidates", 6)
    told(page, '"candidates":6')
    kept = page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('studio:inputs:'))")
    assert sorted(kept) == sorted(
        f"studio:inputs:{name}" for name in ("", *(f"p{at}" for at in range(16, 35)))
    )


def test_a_title_given_first_names_the_film(server, open_page) -> None:
    page = open_page(server.url)
    title = page.locator("#title input")
    title.fill("My holiday")
    title.blur()
    expect(page.locator(".rail li b").first).to_have_text("My holiday")
    small(page, candidates=1)
    search(page, "A fox runs", candidates=1)
    expect(title).to_have_value("My holiday")
    title.fill("")
    title.blur()
    expect(title).to_have_value("My holiday")


def test_every_project_keeps_its_own_words_in_the_box(server, open_page) -> None:
    page = open_page(server.url)
    box = page.locator("#prompt textarea")
    for name in ("First", "Second"):
        page.get_by_role("button", name="New project").click()
        expect(box).to_have_value("")
        page.locator("#title input").fill(name)
        page.locator("#title input").blur()
        expect(page.locator(".rail li b").first).to_have_text(name)
        box.fill(f"What comes in the {name}")
    page.locator(".rail li", has_text="First").locator(".row-button").click()
    expect(box).to_have_value("What comes in the First")
    page.locator(".rail li", has_text="Second").locator(".row-button").click()
    expect(box).to_have_value("What comes in the Second")


def test_every_project_keeps_the_image_that_was_given_to_it(server, open_page, picture: Path) -> None:
    page = open_page(server.url)
    image, title = page.locator("#guide .guide"), page.locator("#title input")
    for name in ("Plain", "Pictured"):
        page.get_by_role("button", name="New project").click()
        expect(title).to_have_value("")
        title.fill(name)
        title.blur()
        expect(page.locator(".rail li b").first).to_have_text(name)
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(picture)
    expect(image).to_be_visible()
    for _ in range(2):  # what is shown on the way must not be taken for what was given
        page.locator(".rail li", has_text="Plain").locator(".row-button").click()
        expect(image).to_be_hidden()
        page.locator(".rail li", has_text="Pictured").locator(".row-button").click()
        expect(image).to_be_visible()


def test_back_and_forward_go_from_project_to_project(server, open_page) -> None:
    page = open_page(server.url)
    title, box = page.locator("#title input"), page.locator("#prompt textarea")
    for name in ("Oaks", "Elms"):
        page.get_by_role("button", name="New project").click()
        expect(title).to_have_value("")
        title.fill(name)
        title.blur()
        expect(page.locator(".rail li b").first).to_have_text(name)
    box.fill("What comes in the Elms")
    elms = page.url
    page.locator(".rail li", has_text="Oaks").locator(".row-button").click()
    expect(title).to_have_value("Oaks")
    page.go_back()
    expect(title).to_have_value("Elms")
    expect(box).to_have_value("What comes in the Elms")
    assert page.url == elms
    page.evaluate("history.back(); setTimeout(() => history.back(), 50)")  # two presses in a row
    expect(title).to_have_value("Oaks")
    for _ in range(2):
        page.go_forward()
    expect(title).to_have_value("Elms")
    assert page.url == elms


def test_back_does_not_lead_to_a_project_that_was_deleted(server, open_page) -> None:
    page = open_page(server.url)
    page.locator("#title input").fill("Short lived")
    page.locator("#title input").blur()
    expect(page).to_have_url(re.compile("project="))
    page.get_by_role("button", name="Delete Short lived").click()
    page.locator(".rail .sure .bin").click()
    expect(page.locator(".rail li", has_text="Short lived")).to_have_count(0)
    page.go_back()
    page.wait_for_timeout(1000)
    assert "project=" not in page.url
    expect(page.locator(".notice:visible")).to_have_count(0)


def test_the_same_mistake_is_told_again(server, open_page) -> None:
    page = open_page(server.url)
    notice = page.locator(".notice:visible")
    for _ in range(2):
        page.locator("#search").click()
        expect(notice).to_have_count(1)
        page.get_by_role("button", name="Close this message").click()
        expect(notice).to_have_count(0)


def test_a_number_outside_its_range_is_told_or_brought_into_it_before_the_press(server, open_page) -> None:
    page = open_page(server.url)
    set_number(page, "film-seconds", 200)
    expect(page.locator("#film")).to_contain_text("Make 120 s of film")


def test_the_first_line_is_made_and_the_others_wait(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs\nThe fox jumps", candidates=1)
    expect(page.locator(".segment .caption b")).to_have_text("A fox runs")
    expect(page.locator("#prompt textarea")).to_have_value("The fox jumps")


def test_an_ending_that_is_not_wanted_any_more_is_deleted(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    make_segment(page, "The fox jumps", candidates=1)
    page.locator(".undo").click()
    expect(segments(page)).to_have_count(1)
    page.locator(".others li").hover()
    page.get_by_role("button", name="Delete the ending “The fox jumps”").click()
    page.locator(".others .sure .bin").click()
    expect(page.locator(".others")).to_be_hidden()
    expect(segments(page)).to_have_count(1)


def test_a_pick_that_was_refused_leaves_the_candidates_to_be_picked(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    search(page, "A fox runs", candidates=1)
    page.route("**/gradio_api/**", lambda route: route.abort())  # nobody answers, so nothing is begun
    page.get_by_role("option").click()
    expect(page.locator(".gallery.making")).to_have_count(1)
    page.evaluate("dispatchEvent(new CustomEvent('studio:notice'))")
    expect(page.locator(".gallery.making")).to_have_count(0)


def test_an_address_that_is_answered_late_shows_no_empty_page_meanwhile(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    held: list[Route] = []

    def said(request: Request) -> list[object]:
        return request.post_data_json["data"] if request.method == "POST" else []

    def hold(route: Route) -> None:
        arrives = len(said(route.request)) == 3  # where, what it was called, what it remembers
        held.append(route) if arrives else route.continue_()

    def tick(answer: Response) -> bool:
        return "gradio_api" in answer.url and len(said(answer.request)) == 2

    page.route("**/gradio_api/**", hold)
    with page.expect_response(tick):
        page.reload()
    page.wait_for_timeout(300)  # to be drawn
    shown = page.locator(".examples button").count()
    for route in held:
        route.continue_()
    assert shown == 0
    expect(segments(page)).to_have_count(1)


def test_what_was_set_before_a_film_began_is_kept_for_it(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    page.get_by_role("button", name="Advanced").click()
    page.locator("#seed input").fill("42")
    set_number(page, "film-seconds", 60)
    search(page, "A fox runs", candidates=1)
    page.reload()
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.locator("#film-seconds input[type=number]")).to_have_value("60")
    page.get_by_role("button", name="Advanced").click()
    expect(page.locator("#seed input")).to_have_value("42")
