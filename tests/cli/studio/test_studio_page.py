"""The page in a real Chromium: nobody else is asked, no other page can use it, and everybody can."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.studio import page_times

pytest.importorskip("playwright")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(page_times.chromium() is None, reason="no Chromium here")

WIDTHS = (360, 768, 1280, 1920)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with page_times.running_studio() as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with page_times.opened_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def test_a_first_visit_takes_four_clicks_and_asks_nobody_else(page: Any, address: str) -> None:
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(address)
    page_times.drop(page, "photo.jpg", page_times.photograph(256))  # 1: choose a file
    before = page_times.drawn(page)
    page.focus("#epsilon")
    page.keyboard.press("ArrowRight")  # 2: another epsilon, without a mouse
    page_times.await_drawing(page, before)
    page.click("#see .copy >> nth=0")  # 3: copy the command
    page.wait_for_selector("#status:has-text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.text_content("#command")
    assert copied.startswith("privis extract photo.jpg -f hog --release laplace --epsilon 20")
    assert [url for url in asked if not url.startswith(address)] == []
    assert broken == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_breaks_at_no_width_and_axe_finds_nothing(page: Any, address: str, language: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}?language={language}")
    page_times.drop(page, "photo.jpg", page_times.photograph(128))
    for tab in page.query_selector_all("[role=tab]"):
        tab.click()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab.text_content(), width)
        found = axe.Axe().run(page).response["violations"]
        assert [(each["id"], each["impact"]) for each in found if each["impact"] in ("serious", "critical")] == []


def test_tabs_answer_to_arrow_keys(page: Any, address: str) -> None:
    page.goto(address)
    page.focus("#tab-see")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-task"
    assert page.is_visible("#task") and not page.is_visible("#see")


def test_the_error_that_is_accepted_becomes_an_epsilon(page: Any, address: str) -> None:
    page.goto(f"{address}?language=zh")
    page.click("#tab-choose")
    page.select_option("#choose-controls select >> nth=0", "solve")
    for name, value in (("error", "5%"), ("people", "400")):
        page.fill(f"#choose-controls [data-name={name}]", value)
    page.click("#choose-controls .run")
    page.wait_for_selector("#choose-results table", timeout=120_000)
    assert "privis choose --error=5% --of=count --people=400 --json" in page.text_content("#choose-results")
    assert "0.1" in page.text_content("#choose-results table")


def test_what_was_refused_stays_said_and_a_shown_image_can_be_forgotten(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_timeout(300)
    before = page_times.drawn(page)
    good, bad = page_times.photograph(128), b"no picture"
    files = {"fresh.jpg": good, "bad <b>.jpg": bad, "last.jpg": good}
    page.set_input_files(
        "#files", [{"name": name, "mimeType": "image/jpeg", "buffer": content} for name, content in files.items()]
    )
    page_times.await_drawing(page, before)
    assert "bad <b>.jpg" in page.text_content("#problems")
    assert "last.jpg" in page.text_content("#command")
    before = page_times.drawn(page)
    page.click("#forget")
    page_times.await_drawing(page, before)
    assert "last.jpg" not in page.text_content("#thumbs")
    assert "last.jpg" not in page.text_content("#command")


def test_settings_that_cannot_be_show_no_guarantee_of_others(page: Any, address: str) -> None:
    page.goto(address)
    page_times.drop(page, "photo.jpg", page_times.photograph(128))
    for place, shown in (("counts", False), ("pixels", True)):  # counts of HOG: nobody knows how many a pixel moves
        before = page_times.drawn(page)
        page.select_option("#at", place)
        page_times.await_drawing(page, before)
        assert page.is_visible("#results") == shown
        assert ("--moves" in page.text_content("#problems")) != shown


def test_a_form_keeps_what_was_typed_and_a_reload_what_runs(page: Any, address: str) -> None:
    page.goto(address)
    page_times.drop(page, "photo.jpg", page_times.photograph(128))
    page.click("#tab-task")
    page.select_option("#task-controls select >> nth=0", "extract")
    for name, value in (("feature", "hog"), ("under", "aby3")):
        page.select_option(f"#task-controls [data-name={name}]", value)
    page.fill("#task-controls [data-name=parameter]", "size=128x128")
    page.click("#tab-see")
    page.click("#tab-task")
    assert page.input_value("#task-controls [data-name=parameter]") == "size=128x128"
    page.click("#task-controls .run")
    page.wait_for_selector("#task-results progress")
    page.reload()
    page.wait_for_selector("#task-results progress")
    assert "--parameter=size=128x128" in page.text_content("#task-results pre")
    page.click("#task-controls .stop")
    page.wait_for_selector("#task-results p:has-text('Stopped')", timeout=30_000)
    assert page.is_enabled("#task-controls .run")


class _Foreign(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>another page</title>")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """A page of another origin on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_another_page_can_neither_read_nor_do_anything_even_with_the_address(
    page: Any, address: str, foreign: str
) -> None:
    page.goto(foreign)
    tries = """async (address) => {
      const found = [];
      const ways = [{}, {mode: "no-cors"}, {method: "POST", body: "{}"}, {method: "POST", mode: "no-cors", body: "x"}];
      const told = (answer) => (answer.type === "opaque" ? "opaque" : answer.status);
      for (const options of ways)
        for (const path of ["", "images", "views/seen"])
          found.push(await fetch(address + path, options).then(told, () => "refused"));
      const picture = await new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve("shown");
        image.onerror = () => resolve("refused");
        image.src = address + "static/icon.svg";
      });
      const frame = document.createElement("iframe");
      frame.src = address;
      const framed = new Promise((resolve) => {
        frame.onload = () => resolve(frame.contentDocument ? "read" : "hidden");
      });
      document.body.append(frame);
      return [found, picture, await framed];
    }"""
    found, picture, framed = page.evaluate(tries, address)
    assert set(found) <= {"refused", "opaque"}
    assert picture == "refused"
    assert framed == "hidden"
    own = page.context.new_page()
    own.goto(address)
    names = own.evaluate("request('images').then((list) => list.map((each) => each.name))")
    assert "x" not in names and "image" not in names  # the no-cors posts left nothing


def test_a_name_that_is_rebound_to_this_machine_gets_nothing(page: Any, address: str) -> None:
    answer = page.goto(address.replace("127.0.0.1", "rebound.example"))
    assert answer.status == 421
    assert page.content().count("Privis") == 0
