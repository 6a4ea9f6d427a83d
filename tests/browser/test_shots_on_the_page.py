"""A film of several shots in a real browser."""

from __future__ import annotations

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.steps import make_segment, search, segments, small

pytestmark = pytest.mark.browser


def test_the_next_chunk_cuts_to_a_new_shot_and_the_one_after_goes_on(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    page.locator("#cut input").check()
    make_segment(page, "A boat on the sea", candidates=1)
    expect(page.locator("#cut input")).not_to_be_checked()
    expect(page.get_by_text("4.2 s · 2 chunks").first).to_be_visible()  # twice 17 frames: none is repeated
    segments(page).last.click()
    expect(page.get_by_text("a new shot", exact=True)).to_be_visible()
    make_segment(page, "The boat turns", candidates=1)
    expect(page.get_by_text("5.8 s · 3 chunks").first).to_be_visible()


def test_a_cut_is_offered_where_there_is_something_to_cut_from(server, open_page) -> None:
    page = open_page(server.url)
    prompt, cut = page.locator("#prompt textarea"), page.locator("#cut")
    expect(page.locator("#status .pill.ready")).to_be_visible()
    expect(cut).to_be_hidden()
    prompt.fill("A fox runs\nA boat on the sea")
    prompt.blur()
    expect(cut).to_be_visible()
    prompt.fill("A fox runs")
    prompt.blur()
    expect(cut).to_be_hidden()


def test_lines_that_wait_are_shots_too(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    prompt, cut = page.locator("#prompt textarea"), page.locator("#cut input")
    prompt.fill("A fox runs\nA boat on the sea")
    prompt.blur()
    cut.check()
    page.locator("#search").click()
    page.get_by_role("option").click()
    expect(segments(page)).to_have_count(1)
    expect(prompt).to_have_value("A boat on the sea")
    expect(cut).to_be_checked()
    page.locator("#search").click()
    page.get_by_role("option").click()
    expect(page.get_by_text("4.2 s · 2 chunks").first).to_be_visible()
    expect(cut).not_to_be_checked()


def test_an_image_can_begin_the_new_shot(server, open_page, tmp_path) -> None:
    Image.new("RGB", (64, 64), (250, 240, 30)).save(tmp_path / "yellow.png")
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    upload = page.get_by_role("button", name="Start from an image")
    expect(upload).to_be_hidden()
    page.locator("#cut input").check()
    expect(upload).to_be_visible()
    file = page.locator("#upload").locator("xpath=..").locator("input[type=file]")
    file.set_input_files(tmp_path / "yellow.png")
    expect(page.locator("#guide .guide")).to_be_visible()
    search(page, "A yellow wall", 1)
    page.get_by_role("option").first.click()
    expect(segments(page)).to_have_count(2)
    expect(upload).to_be_hidden()
    expect(page.locator("#guide .guide")).to_be_hidden()
