"""The page over the model that ships with the studio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Server
from tests.browser.steps import make_segment, small

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def embedded(tmp_path) -> Iterator[Server]:
    if not (ROOT / "assets/pocket/model_index.json").is_file():
        pytest.skip(
            "The embedded weights are not in assets/pocket; make them with `python -m models.pocket`."
        )
    running = Server(tmp_path, {})
    running.start()
    yield running
    running.stop()


def test_the_embedded_model_makes_a_film_that_moves(embedded: Server, open_page) -> None:
    page = open_page(embedded.url)
    small(page, candidates=2, steps=8, preview_steps=4)
    make_segment(page, "A fox runs to the right through snow")
    expect(page.locator("#timeline .length")).to_contain_text("1 chunk")
    page.wait_for_function("document.querySelector('video.film').currentTime > 0.5")
    page.locator(".segment .film").first.click()
    motion = page.locator(".detail dl > div", has_text="Motion").locator("dd")
    assert float(motion.text_content()) > 0


def test_it_is_told_what_the_model_reads_in_place_of_a_word_that_it_does_not_know(
    embedded: Server, open_page
) -> None:
    page = open_page(embedded.url)
    expect(page.locator("#status .pill.ready")).to_be_visible()
    prompt = page.locator("#prompt textarea")
    prompt.fill("A poodle walks left through the forest")
    prompt.blur()
    expect(page.locator("#hint")).to_contain_text("Reads “poodle” as “dog”, “forest” as “meadow”")
    prompt.fill("A dog walks left through the meadow")
    prompt.blur()
    expect(page.locator("#hint")).not_to_contain_text("Reads")
