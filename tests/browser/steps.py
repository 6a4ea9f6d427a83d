"""What a person does on the page, in the words of the tests."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def set_number(page: Page, field: str, value: int) -> None:
    box = page.locator(f"#{field} input[type=number]")
    box.fill(str(value))
    box.blur()


def small(page: Page, candidates: int = 2, steps: int = 4, preview_steps: int = 1) -> None:
    """A search that costs next to nothing."""
    set_number(page, "candidates", candidates)
    set_number(page, "preview-steps", preview_steps)
    set_number(page, "steps", steps)


def search(page: Page, prompt: str, candidates: int) -> None:
    """Search, and wait until every candidate is there."""
    page.locator("#prompt textarea").fill(prompt)
    page.locator("#search").click()
    expect(page.get_by_role("option")).to_have_count(candidates)
    expect(page.locator(".job")).to_be_hidden()


def segments(page: Page):
    return page.locator(".segment:not(.pending)")


def make_segment(page: Page, prompt: str, candidates: int = 2) -> None:
    """Search and pick the best one."""
    before = segments(page).count()
    search(page, prompt, candidates)
    page.get_by_role("option").first.click()
    expect(segments(page)).to_have_count(before + 1)
    expect(page.locator(".job")).to_be_hidden()


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
