"""The page as a person meets it: from a sentence to a film, and back after a reload."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio.v3 as iio
import imageio_ffmpeg
import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from tests.browser.steps import make_segment, search, segments, set_number, small

pytestmark = pytest.mark.browser

FIRST = 17  # frames of a chunk of the embedded model
NEXT = FIRST - 5  # without those that repeat the end of the chunk before


def test_from_a_sentence_to_a_film(server, open_page, tmp_path: Path) -> None:
    page = open_page(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Chunkwise Studio")
    expect(page.locator("#status .pill.ready")).to_have_attribute("title", re.compile("CPU"))
    small(page, candidates=3)
    expect(page.locator("#search")).to_contain_text("Search 3 candidates")
    expect(page.locator("#hint .hint")).to_contain_text("3 previews of 1 step, then 4 steps")

    search(page, "A fox runs through snow", candidates=3)
    expect(page.locator(".take .best:visible")).to_have_count(1)
    numbers = page.locator(".take.first .score .number").all_text_contents()
    assert len(numbers) >= 2
    assert all(float(number) == float(number) for number in numbers)
    page.wait_for_function(
        "[...document.querySelectorAll('.take video')].every(v => v.loop && v.muted && v.currentTime > 0)"
    )

    page.locator("h1").click()
    page.keyboard.press("2")
    expect(segments(page)).to_have_count(1)
    expect(page.locator(".segment .caption b")).to_have_text("A fox runs through snow")
    expect(page.locator("#prompt textarea")).to_have_value("")
    expect(page.get_by_label("What happens next?")).to_be_visible()
    expect(page.locator("#hint .hint")).to_contain_text(re.compile(r"then 4 steps: about \d+ s"))

    make_segment(page, "The fox jumps over a stream", candidates=3)
    expect(page.locator("#timeline .length")).to_contain_text("2 chunks")
    page.wait_for_function(
        "document.querySelector('video.film').ended"
    )  # the new chunk plays at once, not again
    page.get_by_role("button", name="Play the film").click()
    page.wait_for_function("document.querySelector('video.film').currentTime < 1")
    page.wait_for_function("document.querySelector('video.film').ended")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download mp4").click()
    saved = tmp_path / "film.mp4"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "A fox runs through snow.mp4"
    assert iio.imread(saved, plugin="pyav").shape == (FIRST + NEXT, 256, 256, 3)
    checked = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(saved), "-f", "null", "-"]
    assert subprocess.run(checked, capture_output=True, check=True).stderr == b""


def test_the_film_is_saved_in_other_formats(server, open_page, tmp_path: Path) -> None:
    page = open_page(server.url)
    small(page)
    make_segment(page, "A fox runs through snow")
    for format_name, suffix in (("GIF", ".gif"), ("GIF", ".gif"), ("Editor bundle", ".otioz")):
        page.locator(".formats summary").click()
        with page.expect_download() as download:
            page.locator(".formats button", has_text=format_name).click()
        assert download.value.suggested_filename == f"A fox runs through snow{suffix}"
        expect(page.locator(".formats .menu")).to_be_hidden()
        download.value.save_as(tmp_path / f"film{suffix}")
    assert len(iio.imread(tmp_path / "film.gif")) == FIRST


def test_a_film_of_several_scenes_makes_itself(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=2)
    box = page.locator("#prompt textarea")
    box.fill("A fox runs\nThe fox jumps")
    box.blur()
    set_number(page, "film-seconds", 3)
    expect(page.locator("#film")).to_contain_text("Make 3 s of film")
    expect(page.locator("#film-hint .hint")).to_contain_text("2 chunks")
    page.locator("#film").click()
    expect(segments(page)).to_have_count(2)
    expect(page.locator(".job")).to_be_hidden()
    expect(page.locator(".segment .caption b")).to_have_text(["A fox runs", "The fox jumps"])
    expect(box).to_have_value("")
    expect(page.locator("#film")).to_contain_text("Go on for 3 s")


def test_a_film_too_short_for_its_scenes_is_told_before_the_press(server, open_page) -> None:
    page = open_page(server.url)
    box = page.locator("#prompt textarea")
    box.fill("\n".join(["A fox runs"] * 9))
    box.blur()
    expect(page.locator("#film-hint .hint.wrong")).to_contain_text("too few for 9 prompts")
    set_number(page, "film-seconds", 20)
    expect(page.locator("#film-hint .hint:not(.wrong)")).to_contain_text("chunks")


def test_a_reload_comes_back_to_the_running_work_and_sees_it_finish(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1, steps=50)
    search(page, "A cat looks around", candidates=1)
    page.get_by_role("option").click()
    expect(page.locator(".job")).to_be_visible()
    assert "project=" in page.url
    page.reload()
    expect(page.locator("#steps input[type=number]")).to_have_value("50")  # as it was asked for
    second_tab = open_page(page.url)
    expect(segments(page)).to_have_count(1)
    expect(segments(second_tab)).to_have_count(1)
    expect(page.locator("#title input")).to_have_value("A cat looks around")


def test_stop_ends_the_work_and_keeps_the_candidates(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1, steps=50)
    search(page, "A boat on the sea", candidates=1)
    page.get_by_role("option").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".job")).to_be_hidden()
    expect(page.get_by_role("option")).to_be_visible()
    expect(segments(page)).to_have_count(0)


def test_bad_input_is_told_in_a_sentence_and_changes_nothing(server, open_page) -> None:
    page = open_page(server.url)
    page.locator("#search").click()
    expect(page.get_by_role("alert")).to_contain_text("The prompt is empty. Say in a few words")
    assert "project=" not in page.url
    page.locator("#prompt textarea").fill("A fox")
    set_number(page, "steps", 3)
    expect(page.locator("#hint .hint.wrong")).to_contain_text("Lower k or raise the steps")
    page.locator("#search").click()
    expect(page.get_by_role("alert")).to_contain_text("Lower k or raise the steps")
    expect(page.locator("#prompt textarea")).to_have_value("A fox")
    assert "project=" not in page.url


def test_a_button_whose_press_would_be_refused_has_no_price(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    search(page, "A fox runs", candidates=1)  # what it takes is measured by then
    button, film = page.locator("#search"), page.locator("#film")
    expect(button).to_have_text(re.compile(r"Search 1 candidate · \d+ s"))
    expect(film).to_have_text(re.compile(r"Make 8 s of film · \d+ s"))
    set_number(page, "preview-steps", 9)
    expect(page.locator("#hint .hint.wrong")).to_be_visible()
    expect(button).to_have_text("Search 1 candidate")
    expect(film).to_have_text("Make 8 s of film")


def test_a_refusal_is_gone_once_what_was_typed_is_mended(server, open_page) -> None:
    page = open_page(server.url)
    hint = page.locator("#hint .hint")
    page.get_by_role("button", name="Advanced").click()
    page.locator("#seed input").fill("abc")
    expect(hint).to_contain_text("“abc” is no seed")
    page.locator("#seed input").fill("7")
    expect(hint).not_to_have_class(re.compile("wrong"))


def test_undo_restart_and_another_ending(server, open_page) -> None:
    page = open_page(server.url)
    small(page)
    make_segment(page, "A rocket on the ground")
    make_segment(page, "The rocket rises")
    page.get_by_role("button", name="Undo").click()
    expect(segments(page)).to_have_count(1)
    expect(page.locator(".others li")).to_have_count(1)
    expect(page.get_by_role("option")).to_have_count(2)  # those that it was chosen from
    small(page, candidates=3)
    make_segment(page, "", candidates=3)  # empty: the same prompt goes on
    expect(page.locator(".segment .caption b").last).to_have_text("A rocket on the ground")
    page.locator(".others .row-button").click()
    expect(page.locator(".segment .caption b").last).to_have_text("The rocket rises")
    page.locator(".segment .film").first.click()
    page.get_by_role("button", name="Carry on from here").click()
    expect(segments(page)).to_have_count(1)
    expect(page.locator(".others li")).to_have_count(2)


def test_words_from_people_are_never_run(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    prompt = "${document.title='owned'} <img src=x onerror=\"document.title='owned'\"> {{7*7}}"
    make_segment(page, prompt, candidates=1)
    expect(page.locator(".segment .caption b")).to_have_text(prompt)
    expect(page.locator(".rail [aria-current=true] b")).to_have_text(prompt[:60])
    assert page.title() == "Chunkwise Studio"
    assert page.locator("#timeline img, #projects img").count() == 0


def test_projects_are_listed_renamed_opened_and_deleted(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    search(page, "A rabbit in a meadow", candidates=1)
    page.locator("#title input").fill("Rabbits")
    page.locator("#title input").press("Enter")
    current = page.locator(".rail [aria-current=true]")
    expect(current).to_contain_text("Rabbits")
    page.get_by_role("button", name="New project").click()
    expect(page.locator(".examples button").first).to_be_visible()
    assert "project=" not in page.url
    page.locator(".rail li button", has_text="Rabbits").click()
    expect(page.get_by_role("option")).to_have_count(1)
    page.get_by_role("button", name="Delete Rabbits").click()
    page.locator(".rail .sure .bin").click()
    expect(page.locator(".rail li", has_text="Rabbits")).to_have_count(0)
    expect(page.locator(".examples button").first).to_be_visible()


def test_on_a_shared_studio_a_browser_lists_its_own_projects_and_links_open_the_others(
    shared_server, open_page
) -> None:
    page, stranger = open_page(shared_server.url), open_page(shared_server.url)
    small(page, candidates=1)
    search(page, "A rabbit in a meadow", candidates=1)
    expect(page.locator(".rail li")).to_have_count(1)
    stranger.reload()
    expect(stranger.locator(".examples button").first).to_be_visible()
    expect(stranger.locator(".rail li")).to_have_count(0)
    stranger.goto(page.url)
    expect(stranger.get_by_role("option")).to_have_count(1)
    expect(stranger.locator(".rail li")).to_have_count(0)
    page.goto(shared_server.url)
    expect(page.locator(".rail li")).to_have_count(1)


def test_a_film_can_start_from_an_image_and_be_led_to_another(server, open_page, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 120), (200, 120, 40)).save(tmp_path / "guide.png")
    (tmp_path / "broken.png").write_bytes(b"no image at all")
    page = open_page(server.url)
    small(page, candidates=1)
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "broken.png"
    )
    expect(page.get_by_role("alert")).to_contain_text("no picture that can be read")
    assert "project=" not in page.url
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "guide.png"
    )
    expect(page.locator("#guide img")).to_be_visible()
    page.get_by_role("button", name="Advanced").click()
    expect(page.locator("#upload-end")).to_be_visible()
    page.locator("#upload-end").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "guide.png"
    )
    expect(page.locator("#ending")).to_contain_text("Ends with this image")
    make_segment(page, "", candidates=1)
    expect(page.locator(".segment .caption b")).to_have_text("From the image alone")
    expect(page.locator("#guide img")).to_be_hidden()
    expect(page.locator("#ending img")).to_be_hidden()


def test_two_images_given_at_once_belong_to_one_film(server, open_page, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 120), (200, 120, 40)).save(tmp_path / "guide.png")
    page = open_page(server.url)
    page.get_by_role("button", name="Advanced").click()
    expect(page.locator("#upload-end")).to_be_visible()
    films = page.locator("#projects li").count()
    for button in ("Start from an image or a film", "End with an image"):
        page.get_by_test_id(f"{button}-upload-button").set_input_files(tmp_path / "guide.png")
    expect(page.locator("#guide img")).to_be_visible()
    expect(page.locator("#ending")).to_contain_text("Ends with this image")
    page.wait_for_timeout(4000)  # longer than a tick of the page
    expect(page.locator("#guide img")).to_be_visible()
    expect(page.locator("#projects li")).to_have_count(films + 1)


def test_a_film_file_restores_its_project(server, open_page, tmp_path: Path) -> None:
    page = open_page(server.url)
    small(page)
    make_segment(page, "A fox runs through snow")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download mp4").click()
    download.value.save_as(tmp_path / "film.mp4")
    other = open_page(server.url)
    for _ in range(3):  # a page that has been used is not taken for one that is answered late
        other.get_by_role("button", name="New project").click()
        other.wait_for_timeout(500)
    chosen = other.locator("#upload").locator("xpath=..").locator("input[type=file]")
    chosen.set_input_files(tmp_path / "film.mp4")
    expect(other).to_have_url(re.compile("project="))
    expect(segments(other)).to_have_count(1)
    expect(other.locator(".segment .caption b")).to_have_text("A fox runs through snow")
    expect(other.get_by_label("What happens next?")).to_be_visible()


def test_nothing_moves_by_itself_for_those_who_asked_for_stillness(server, open_page) -> None:
    page = open_page(server.url, reduced_motion="reduce")
    small(page, candidates=1)
    search(page, "A camel walks", candidates=1)
    page.wait_for_function("document.querySelector('.take video').readyState >= 2")
    assert page.locator(".take video").evaluate("video => video.paused && video.currentTime === 0")
    page.get_by_role("option").hover()
    page.wait_for_function("document.querySelector('.take video').currentTime > 0")


def test_the_film_is_there_when_the_server_was_closed_and_started_again(server, open_page) -> None:
    page = open_page(server.url)
    small(page, candidates=1)
    make_segment(page, "A car drives along the street", candidates=1)
    small(page, candidates=8, steps=50, preview_steps=50)
    page.locator("#search").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    server.stop()
    server.start()
    page = open_page(page.url)
    expect(page.get_by_role("alert")).to_contain_text("closed")
    expect(segments(page)).to_have_count(1)
    page.get_by_role("button", name="Play the film").click()
    page.wait_for_function("document.querySelector('video.film').currentTime > 0.3")


def test_a_model_that_animates_images_says_what_draws_its_first_frame(
    server, open_page, tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("RGB", (200, 120), (200, 120, 40)).save(tmp_path / "guide.png")
    page = open_page(server.url)
    said_before = len(server.log.read_text())
    page.get_by_label("Model").fill("Stable Video")
    page.get_by_role("option", name="Stable Video Diffusion (").click()
    hint = page.locator("#hint")
    expect(hint).to_contain_text("A text-to-image model draws the first frame")
    page.get_by_role("button", name="Advanced").click()
    expect(page.get_by_label("number input for Frames")).to_have_value("14")
    page.locator("#upload").locator("xpath=..").locator("input[type=file]").set_input_files(
        tmp_path / "guide.png"
    )
    expect(hint).not_to_contain_text("text-to-image")
    assert "Traceback" not in server.log.read_text()[said_before:]
