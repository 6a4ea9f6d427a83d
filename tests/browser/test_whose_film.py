"""Where strangers share the studio, what a browser begins is its own from the first press on."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

KNOWN = "0123456789abcdef0123456789abcdef"
KEPT_BY_GRADIO = (
    "AAECAwQFBgcICQoLDA0ODw==:"
    "U2FsdGVkX18xkB97RC63GoR1UgaOSulnNwajTQxZG4kKJi6mA9M+EPV2D1XhkP8inDDLCj7JI6lpR8uGBsGwoQ=="
)
"""How `gr.BrowserState` stored that visitor, with the secret `studio`."""


@pytest.fixture
def first_visit(shared_server, open_page) -> Callable[..., tuple[list[Page], Callable[[], None]]]:
    """Open tabs of a new browser that wait for the first answer until it is let through."""

    def visit(tabs: int = 1, storage: dict[str, str] | None = None) -> tuple[list[Page], Callable[[], None]]:
        with urllib.request.urlopen(f"{shared_server.url}config") as answer:
            events = json.load(answer)["dependencies"]
        loads = [each for each in events if any(what == "load" for _, what in each["targets"])]
        draws_all = max(loads, key=lambda each: len(each["outputs"]))["id"]
        held: list[Route] = []

        def hold(route: Route) -> None:
            asked = route.request.post_data_json if route.request.method == "POST" else {}
            if asked.get("fn_index") == draws_all:
                held.append(route)
            else:
                route.continue_()

        page = open_page(shared_server.url)
        context = page.context
        page.evaluate("kept => { localStorage.clear(); Object.assign(localStorage, kept); }", storage or {})
        context.route("**/gradio_api/**", hold)
        page.reload()
        pages = [page, *(context.new_page() for _ in range(tabs - 1))]
        for other in pages[1:]:
            other.goto(shared_server.url)
        while len(held) < tabs:
            page.wait_for_timeout(100)

        def let_through() -> None:
            for route in held:
                route.continue_()
            context.unroute("**/gradio_api/**")

        return pages, let_through

    return visit


def begin(page: Page, title: str) -> None:
    page.locator("#title input").fill(title)
    page.locator("#title input").blur()
    expect(page).to_have_url(re.compile("project="))


def leave(page: Page) -> None:
    page.get_by_role("button", name="New project").click()
    expect(page).not_to_have_url(re.compile("project="))


def films(page: Page):
    return page.locator(".rail li b")


def test_a_film_that_is_begun_before_the_page_has_its_first_answer(first_visit) -> None:
    (page,), let_through = first_visit()
    begin(page, "Early")
    expect(films(page)).to_have_text(["Early"])
    let_through()
    leave(page)
    begin(page, "Later")
    expect(films(page)).to_have_text(["Later", "Early"])
    page.reload()
    expect(films(page)).to_have_text(["Later", "Early"])


def test_two_tabs_of_a_first_visit_are_one_visitor(first_visit) -> None:
    pages, let_through = first_visit(tabs=2)
    let_through()
    for number, page in enumerate(pages):
        expect(page.locator(".examples button").first).to_be_visible()
        begin(page, f"Film {number}")
    for page in pages:
        page.reload()
        expect(films(page)).to_have_text(["Film 1", "Film 0"])


def test_of_two_tabs_that_name_the_browser_at_once_the_later_name_holds_in_both(
    shared_server, open_page
) -> None:
    page = open_page(shared_server.url)
    page.evaluate("name => localStorage.setItem('studio:visitor-id', name)", KNOWN)
    begin(page, "Ours")
    page.reload()
    expect(films(page)).to_have_text(["Ours"])


def test_a_browser_keeps_the_films_it_began_before_it_named_itself(first_visit, shared_server) -> None:
    (page,), let_through = first_visit(storage={"studio:visitor": KEPT_BY_GRADIO})
    begin(page, "Early")
    let_through()
    expect(films(page)).to_have_text(["Early"])
    assert page.evaluate("localStorage.getItem('studio:visitor-id')") == KNOWN


def test_a_browser_that_stores_nothing_has_its_films_until_it_is_reloaded(shared_server, open_page) -> None:
    page = open_page(shared_server.url)
    page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator(".examples button").first).to_be_visible()
    begin(page, "Private")
    expect(films(page)).to_have_text(["Private"])
    leave(page)
    begin(page, "Also private")
    expect(films(page)).to_have_text(["Also private", "Private"])
