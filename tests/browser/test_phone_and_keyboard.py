"""The page on a small screen, by keyboard alone, and for eyes that need contrast."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.steps import make_segment, overflow, search, segments, small

pytestmark = pytest.mark.browser


def test_where_the_model_runs_and_why_can_be_read_with_a_finger(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844, has_touch=True)
    why = page.locator("#status .pill p")
    expect(page.locator("#status .pill.ready")).to_be_visible()
    expect(why).not_to_be_visible()
    page.locator("#status summary").tap()
    expect(why).to_contain_text("CPU")
    box = why.bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.locator("#status summary").tap()
    expect(why).not_to_be_visible()


def test_a_phone_shows_everything_without_scrolling_sideways(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844, has_touch=True, color_scheme="dark")
    assert overflow(page) <= 0
    expect(page.locator(".rail")).not_to_be_in_viewport()
    small(page)
    make_segment(page, "A balloon floats up into the sky")
    assert overflow(page) <= 0
    page.get_by_role("button", name="Projects", exact=True).click()
    expect(page.locator(".rail")).to_be_in_viewport()
    small_targets = page.evaluate(
        """[...document.querySelectorAll('button, a, select')].filter(node => {
            const box = node.getBoundingClientRect();
            return box.width && box.height && getComputedStyle(node).visibility === 'visible'
                && Math.round(Math.min(box.height, box.width)) < 40;  // a sliding panel has fractions
        }).map(node => node.outerHTML.slice(0, 120))"""
    )
    assert small_targets == []


@pytest.mark.parametrize("width", [768, 1120, 1280])
def test_where_the_stage_is_narrow_candidates_can_be_read_and_every_format_reached(
    server, open_page, width: int
) -> None:
    page = open_page(server.url, width=width, height=1024)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    formats = page.get_by_label("Other formats").bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert formats is not None and stage is not None
    assert formats["x"] + formats["width"] <= stage["x"] + stage["width"]
    small(page, candidates=8)
    search(page, "A fox jumps", candidates=8)
    takes = [take.bounding_box() for take in page.get_by_role("option").all()]
    assert min(box["width"] for box in takes if box) >= 150
    cut = page.locator(".score .name").evaluate_all(
        "names => names.filter(name => name.scrollWidth > name.clientWidth).map(name => name.textContent)"
    )
    assert cut == []


def test_on_a_phone_how_it_goes_is_told_before_the_inputs(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844)
    told = page.get_by_text("Describe one moment.").locator("visible=true")
    expect(told).to_have_count(1)
    intro, box = told.bounding_box(), page.locator("#prompt textarea").bounding_box()
    assert intro is not None and box is not None
    assert intro["y"] < box["y"]


def test_a_slider_and_its_number_stand_in_one_line_on_a_phone(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844)
    middles = page.locator("#candidates .head").evaluate(
        """head => [...head.querySelectorAll('label, input')].map(node => {
            const box = node.getBoundingClientRect();
            return box.top + box.height / 2;
        })"""
    )
    assert abs(middles[0] - middles[1]) < 2


def test_a_narrow_bar_shows_the_number_of_its_likeness(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844)
    small(page, candidates=1)
    for prompt in ("A fox runs", "The fox jumps", "The fox sleeps"):
        make_segment(page, prompt, candidates=1)
    note = page.locator(".segment .caption small:visible").last
    expect(note).to_have_text(re.compile(r"^[\d.]+ s · \d\.\d\d$"))
    assert note.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_the_list_of_projects_on_a_phone_takes_the_focus_and_gives_it_back(server, open_page) -> None:
    page = open_page(server.url, width=390, height=844)
    opener = page.get_by_role("button", name="Projects", exact=True)
    opener.click()
    expect(page.get_by_role("button", name="Close the list of projects")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(page.locator(".rail")).not_to_be_in_viewport()


def test_candidates_are_walked_with_the_arrows_and_the_film_is_next_after_a_pick(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=3)
    search(page, "A fox runs", candidates=3)
    takes = page.get_by_role("option")
    assert [take.get_attribute("tabindex") for take in takes.all()] == ["0", "-1", "-1"]
    takes.first.focus()
    for key, place in (("ArrowRight", 1), ("End", 2), ("ArrowLeft", 1), ("Home", 0)):
        page.keyboard.press(key)
        expect(takes.nth(place)).to_be_focused()
    page.keyboard.press("Enter")
    expect(segments(page)).to_have_count(1)
    expect(page.locator(".under .toggle")).to_be_focused()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_placeholders_can_be_read(server, open_page, color_scheme: str) -> None:
    page = open_page(server.url, color_scheme=color_scheme)
    ratio = page.locator("#prompt textarea").evaluate(
        r"""box => {
            const light = (colour) => {
                const [r, g, b] = colour.match(/\d+/g).slice(0, 3).map((each) => {
                    const part = each / 255;
                    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
            };
            const words = light(getComputedStyle(box, "::placeholder").color);
            const paper = light(getComputedStyle(box).backgroundColor);
            return Math.max(words, paper) / Math.min(words, paper);
        }"""
    )
    assert ratio >= 4.5


def ink(box: Locator) -> float:
    """Where the words of a box stand: 0 is its left edge, 1 its right one."""
    shot = np.asarray(Image.open(io.BytesIO(box.screenshot(caret="hide"))).convert("L"), dtype=float)
    inner = shot[8:-8, 8:-8]
    columns = np.flatnonzero(np.abs(inner - np.median(inner)).max(axis=0) > 60)
    return float(columns.mean() / inner.shape[1])


def test_arabic_words_begin_on_the_right_in_every_box(server, open_page) -> None:
    page = open_page(server.url)
    page.get_by_role("button", name="Advanced").click()
    boxes = [page.locator(f"#{name} :is(textarea, input)") for name in ("prompt", "negative", "title")]
    for words, on_the_right in (("fox!", False), ("ثعلب!", True)):
        for box in boxes:
            box.fill(words)
            page.locator("h1").click()
            assert (ink(box) > 0.5) is on_the_right
