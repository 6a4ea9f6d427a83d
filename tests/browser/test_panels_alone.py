"""Panels without the page around them: the script of one in an empty document, over data of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page

from tests.browser.conftest import ROOT

pytestmark = pytest.mark.browser

SCRIPTS, SHEETS = ROOT / "assets" / "js", ROOT / "assets" / "css"
STAND_IN = """([name, script, value]) => {
    window.props = {value};
    new Function("element", "props", "trigger", "watch", script)(
        document.getElementById(name), window.props, () => {}, (_, draw) => { window.draw = draw; }
    );
}"""

Opened = Callable[..., Page]


@pytest.fixture
def panel(browser) -> Iterator[Opened]:
    """Open one panel; `show` gives it another value, as the server would."""
    contexts = []

    def opened(name: str, value: dict[str, Any], width: int = 390, **options: Any) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, **options))
        page = contexts[-1].new_page()
        style = "".join((SHEETS / sheet).read_text() for sheet in ("studio.css", "narrow.css"))
        page.set_content(f"<style>{style}</style><div class=gradio-container><div id={name}></div></div>")
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
