"""The book in Chromium: every page wide and narrow, light and dark; axe; search; the morning to try; a widget; print. All outside traffic is refused."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from dojo.places import COURSE
from dojo.site import extra_pages

playwright = pytest.importorskip("playwright.sync_api", reason="make test installs it where Chromium is")
PICTURES = Path(os.environ.get("DOJO_SCREENSHOTS", COURSE / "work" / ".screenshots"))
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SEEN = {"index.html", "glossary.html", "exercises/11-slo.html", "lessons/11-slo.html", "lessons/00-start-here.html"}
"""Pages of which pictures are kept for people to look at."""
LOCKED = ("package.json", "package-lock.json")
OF_THE_THEME: dict[str, str] = {}
"""What axe may find in the theme's own markup: rule → a piece of the selector. Nothing today: dojo.site.extra_pages names what has no name."""


@pytest.fixture(scope="session")
def address(book):
    """The book behind a web server of its own."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *said) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(book.html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def axe() -> str | None:
    """axe-core from npm, at the version and hash of the lock beside this file; None where npm is not or cannot."""
    if shutil.which("npm") is None:
        return None
    here, folder = Path(__file__).parent, COURSE / "work" / ".axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        same = all((folder / n).exists() and (folder / n).read_bytes() == (here / n).read_bytes() for n in LOCKED)
        if not (same and script.exists()):
            for name in LOCKED:
                shutil.copy(here / name, folder / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode:
                return None
    return script.read_text("utf-8")


class Visit:
    """One browser context that refuses everything outside the book and writes down what goes wrong."""

    def __init__(self, browser, address: str, size: dict, theme: str):
        self.address, self.wrong, self.now = address, [], ""
        self.context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
        self.context.route("**/*", self._route)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: said.type == "error" and self.note(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.note(f"error: {error}"))
        self.page.on("response", lambda got: got.status >= 400 and self.note(f"{got.status}: {got.url}"))

    def note(self, said: str) -> None:
        self.wrong.append((self.now, said))

    def _route(self, route) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.note(f"asks outside: {route.request.url}")
            route.abort()

    def open(self, name: str):
        self.now = name
        self.page.goto(self.address + name, wait_until="load")
        return self.page


@pytest.fixture
def visit(browser, address):
    """Opens visits and closes them again."""
    open_ones = []

    def begin(size=WIDE, theme="light") -> Visit:
        open_ones.append(Visit(browser, address, size, theme))
        return open_ones[-1]

    yield begin
    for one in open_ones:
        one.context.close()


def picture(page, name: str, **options) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"{name}.png"), **options)


OVERFLOWS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap(
  v => v.nodes.map(n => [v.id, n.target.flat().join(' '), (n.any[0] ?? n.all[0] ?? n.none[0] ?? {}).message ?? v.help]))"""


NEXT_FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What answers to another width has done so."""
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
"""Shows what is folded: a debriefing, hints."""
ALIVE = "() => [...document.querySelectorAll('.dojo-widget')].every(one => one.querySelector('.dojo-live'))"
FACES = {"wide-light": (WIDE, "light"), "narrow-dark": (NARROW, "dark")}


@pytest.fixture(scope="module")
def walked(browser, book, address, axe):
    """Every page, wide in the light and narrow in the dark: what went wrong on it, and what axe says (None where it is not here)."""
    walk = Visit(browser, address, WIDE, "light")
    found = {face: [] for face in FACES} if axe else None
    for name in extra_pages.pages(book.html):
        page = walk.open(name)
        page.wait_for_function(ALIVE)
        page.evaluate(OPEN_ALL)
        for button in page.locator(".dojo-moves button, .dojo-quiz .option > button").all():
            button.click()
        if axe:
            page.evaluate(axe)
        for face, (size, theme) in FACES.items():
            page.set_viewport_size(size)
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            _look(walk, name, face, found)
        page.set_viewport_size(WIDE)
    walk.context.close()
    return walk.wrong, found


def _look(walk: Visit, name: str, face: str, found: dict[str, list] | None) -> None:
    page = walk.page
    page.evaluate(NEXT_FRAME)
    if (over := page.evaluate(OVERFLOWS)) > 0:
        walk.note(f"{face}: {over} px wider than the page")
    if name in SEEN:
        picture(page, f"book-{Path(name).stem}-{face}")
    if found is not None:
        page.evaluate(OPEN_ALL)
        told = page.evaluate(RUN_AXE)
        found[face] += [(name, *one) for one in told if OF_THE_THEME.get(one[0], "?") not in one[1]]
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")


def test_every_page_fits_and_asks_for_nothing_outside(walked) -> None:
    wrong, _ = walked
    assert wrong == []


@pytest.mark.parametrize("face", FACES)
def test_axe_finds_nothing_but_the_themes_own(walked, face) -> None:
    _, found = walked
    if found is None:
        pytest.skip("axe-core is not here: npm is missing, or could not fetch it (Debian: apt-get install npm)")
    assert found[face] == []


def test_search_finds_a_word_and_no_solution(visit) -> None:
    page = visit().open("search.html?q=watermark")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    found = page.locator("#search-results li a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert any("glossary" in link for link in found) and not any("solutions/" in link for link in found)


def test_the_bad_morning_is_played_by_mouse_and_by_keyboard(visit) -> None:
    page = visit().open("index.html")
    page.get_by_role("button", name="Run it all again").click()
    page.get_by_text("1. ").first.wait_for(state="attached")
    assert "€22,255.82" in page.locator(".dojo-outcomes").inner_text()
    button = page.get_by_role("button", name="Take the number down and say so")
    button.focus()
    page.keyboard.press("Enter")
    rows = page.locator(".dojo-outcomes tbody tr")
    playwright.expect(rows).to_have_count(2)
    assert "€54,903.20" in rows.nth(1).inner_text() and "7 min" in rows.nth(1).inner_text()
    assert button.get_attribute("aria-pressed") == "true"
    picture(page, "book-morning", full_page=True)


def test_the_bad_morning_moves_and_ends_where_it_must(browser, address) -> None:
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Correct it by hand").click()
    page.wait_for_timeout(400)
    assert page.locator(".dojo-hands").inner_text().startswith(("06:", "07:"))
    page.locator(".dojo-outcomes tbody tr").wait_for(timeout=10_000)
    assert page.locator(".dojo-hands").inner_text().startswith("08:15")
    page.close()


def test_a_widget_answers_the_keyboard_without_a_kernel(visit) -> None:
    page = visit().open("lessons/11-slo.html")
    slider = page.get_by_label("Stale reads: 5 %")
    slider.wait_for(timeout=10_000)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "Burn rate 8.0" in page.locator(".dojo-burn output").inner_text()


ASKED = "Your prediction, mornings late, out of 90:"


def test_a_prediction_is_kept_and_compared(visit) -> None:
    page = visit().open("lessons/11-slo.html")
    field, measured = page.get_by_label(ASKED), page.get_by_role("region", name="Measured, mornings late, out of 90")
    field.wait_for(timeout=10_000)
    assert field.input_value() == "" and "you made no prediction" in measured.inner_text()
    field.fill("4")
    page.keyboard.press("Enter")
    assert page.get_by_text("Kept: 4.").is_visible()
    page.reload()
    measured.get_by_text("Too low by a factor of 2.8.").wait_for(timeout=10_000)
    assert field.input_value() == "4"


def test_a_quiz_option_explains_itself(visit) -> None:
    page = visit().open("lessons/11-slo.html")
    page.get_by_role("button", name="c) The SLA, because finance was affected.").click()
    assert page.get_by_text("The agreement is the promise of 08:00").is_visible()
    page.reload()
    page.get_by_text("The agreement is the promise of 08:00").wait_for(timeout=10_000)
    page.get_by_role("button", name="Begin again").click()
    assert page.get_by_text("The agreement is the promise of 08:00").count() == 0


def test_the_task_cards_stand_in_the_book_and_offer_no_hint_where_no_kernel_is(visit) -> None:
    page = visit().open("lessons/00-start-here.html")
    card = page.locator(".dojo-map .cards > li").first
    card.wait_for(timeout=10_000)
    card.get_by_text("What is tried").click()
    assert card.locator("details li").count() >= 1
    assert page.locator(".dojo-map").get_by_role("button").count() == 0


def test_the_theme_switch_goes_dark(visit) -> None:
    page = visit().open("index.html")
    page.locator(".theme-switch-button").first.click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"


def test_on_paper_a_lesson_is_the_lesson_alone(visit) -> None:
    walk = visit()
    page = walk.open("lessons/11-slo.html")
    page.emulate_media(media="print")
    assert not page.locator(".bd-sidebar-primary").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("Measured: 11.").is_visible()
    pdf = page.pdf(format="A4")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 25
    page = walk.open("solutions/11-slo.html")
    assert page.evaluate("[...document.querySelectorAll('details.hide')].every(one => !one.open)")
    assert walk.wrong == []
