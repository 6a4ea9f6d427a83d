"""Images and films that are dropped on the page, pasted, or refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.steps import make_segment, small

pytestmark = pytest.mark.browser

FILE = """(kind, base, name, type, event) => {
    const bytes = Uint8Array.from(atob(base), (each) => each.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const how = { bubbles: true, cancelable: true };
    return kind === "drop" ? new DragEvent(event, { ...how, dataTransfer: data })
        : new ClipboardEvent(event, { ...how, clipboardData: data });
}"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (128, 128), (200, 60, 40)).save(tmp_path / "guide.png")
    return tmp_path / "guide.png"


def give(page: Page, how: str, target: str, file: Path, kind: str = "image/png") -> bool:
    """Drop or paste a file there; whether the browser was kept from doing what it does by itself."""
    data = base64.b64encode(file.read_bytes()).decode()
    taken: bool = page.locator(target).evaluate(
        f"(node, [how, data, name, type]) => !node.dispatchEvent(({FILE})(how, data, name, type, how))",
        [how, data, file.name, kind],
    )
    return taken


@pytest.mark.parametrize(("how", "target"), [("drop", "#stage"), ("paste", "#prompt textarea")])
def test_an_image_that_is_dropped_or_pasted_begins_the_film(
    server, open_page, picture: Path, how: str, target: str
) -> None:
    page = open_page(server.url)
    assert give(page, how, target, picture)
    expect(page.locator("#guide .guide")).to_contain_text("Starts from this image")
    expect(page.locator("#guide img")).to_have_js_property("naturalWidth", 128)


def test_an_image_dropped_where_a_chunk_is_led_to_ends_it(server, open_page, picture: Path) -> None:
    page = open_page(server.url)
    page.locator("#advanced button").first.click()
    give(page, "drop", "#upload-end", picture)
    expect(page.locator("#ending .guide")).to_contain_text("Ends with this image")
    expect(page.locator("#guide .guide")).to_be_hidden()


def test_where_the_film_goes_on_an_image_is_told_how_it_can_be_given(
    server, open_page, picture: Path
) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A fox runs", candidates=1)
    give(page, "drop", "#stage", picture)
    expect(page.locator(".notice")).to_contain_text("Tick Cut to a new shot to begin from “guide.png”")
    page.locator("#cut input").check()
    expect(page.locator("#upload")).to_be_visible()
    give(page, "drop", "#stage", picture)
    expect(page.locator("#guide .guide")).to_be_visible()
    expect(page.locator(".notice")).to_be_hidden()


def test_a_file_that_is_no_picture_is_told(server, open_page, tmp_path: Path) -> None:
    page = open_page(server.url)
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4")
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "notes.pdf"
    )
    expect(page.locator(".notice")).to_contain_text("“notes.pdf” is no image and no film")


def test_a_file_that_is_too_large_is_told_before_it_is_sent(server, open_page, tmp_path: Path) -> None:
    page = open_page(server.url)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)
    (tmp_path / "huge.png").write_bytes(bytes(21 * 2**20))
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "huge.png"
    )
    expect(page.locator(".notice")).to_contain_text("“huge.png” has 21 MiB; at most 20 MiB are taken.")
    assert sent == []
