"""The page in a real Chromium: nothing leaves, nothing runs, nobody has to scroll sideways.

The pictures lie in ``.tidegate/pages/`` afterwards, to be looked at.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.pages import PAGES
from tests.system.browser import Tab, browser

from tidegate.telling.page import page
from tidegate.ui.page import HEADERS

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / ".tidegate" / "pages"
AXE = ROOT / ".tidegate" / "axe"
AXE_VERSION = "4.14.1"
WIDTHS = (360, 768, 1600)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOCUSED = "(document.activeElement.innerText || '').trim()"
RULES = "axe.run({resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))"
RAN = "window.ran"
"""What the hostile page would set, if it ran."""
ATTACKS = (
    "<script>window.ran = 1</script>",
    "<img src=/leak onerror='window.ran = 1'>",
    '"><svg/onload="window.ran = 1">',
    "</style><link rel=stylesheet href=/leak>",
    "<iframe src=/leak></iframe><base href=//leak.example/>",
    "<meta http-equiv=refresh content='0;url=/leak'>",
)


class Server:
    """Serves pages with the headers of Airflow's server, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages = {f"/{name}/2": page(told, {1: "1"}) for name, told in PAGES.items()}
        self.pages |= {f"/{name}/1": page(told, {2: "2"}) for name, told in PAGES.items()}
        self.headers = dict(HEADERS)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                text = server.pages.get(self.path)
                self.send_response(200 if text else 404)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((text or "nothing here").encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's source; skipped, with the reason, where npm cannot bring it."""
    file = AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm on this machine to bring axe-core, so contrast is not measured")
        AXE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(AXE), "--no-audit", "--no-fund"]
        done = subprocess.run(
            [*command, f"axe-core@{AXE_VERSION}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "npm_config_update_notifier": "false"},
        )
        if done.returncode or not file.is_file():
            pytest.skip(f"npm did not bring axe-core: {done.stderr[-200:]}")
    return file.read_text(encoding="utf-8")


def opened(tab: Tab, server: Server, address: str) -> None:
    server.asked.clear()
    tab.open(f"{server.url}{address}")


def requested(tab: Tab) -> list[str]:
    """Return every address that the page asked for, wherever it lies."""
    return [each["request"]["url"] for each in tab.seen("Network.requestWillBeSent")]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_asks_for_nothing(tab: Tab, server: Server, name: str, width: int) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    tab.resize(width)
    for scheme in ("light", "dark"):
        tab.dark(scheme == "dark")
        opened(tab, server, f"/{name}/2")
        assert tab.value(SIDEWAYS) == 0
        assert requested(tab) == [f"{server.url}/{name}/2"]
        assert set(server.asked) <= {f"/{name}/2", "/favicon.ico"}
        assert tab.seen("Log.entryAdded") == []  # a refusal by the policy would be one
        tab.picture(SHOTS / f"{name}-{width}-{scheme}.png")


def test_its_style_is_let_in_and_nothing_else(tab: Tab, server: Server) -> None:
    tab.resize(1600)
    tab.dark(False)
    opened(tab, server, "/closed/2")
    colour = "getComputedStyle(document.querySelector('.mark')).color"
    assert tab.value(colour) == "rgb(179, 35, 27)"
    assert tab.value("self.origin") == "null"  # by the sandbox: no page of Airflow's own
    tab.value("document.body.setAttribute('style', 'color: rgb(255, 0, 0)')")
    assert tab.value("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"


@pytest.mark.parametrize("attack", ATTACKS)
def test_markup_that_got_through_could_still_do_nothing(
    tab: Tab, server: Server, attack: str
) -> None:
    """What escaping must prevent, the policy prevents a second time."""
    server.pages["/attack/2"] = server.pages["/closed/2"].replace(
        '<main class="closed">', f'<main class="closed">{attack}', 1
    )
    assert attack in server.pages["/attack/2"]
    opened(tab, server, "/attack/2")
    assert tab.value(RAN) is None
    assert "/leak" not in server.asked


def test_without_the_policy_it_could(tab: Tab, server: Server) -> None:
    """The test above sees what it looks for."""
    server.headers = {}
    text = server.pages["/closed/2"].replace("http-equiv", "data-nothing")
    server.pages["/attack/2"] = text.replace("</main>", f"{ATTACKS[0]}{ATTACKS[1]}</main>")
    opened(tab, server, "/attack/2")
    assert tab.value(RAN) == 1
    assert "/leak" in server.asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(tab: Tab, server: Server, axe: str, name: str, scheme: str) -> None:
    # axe runs in the page, which the policy forbids: the same page without one.
    server.headers = {"Cache-Control": "no-store"}
    for width in (360, 1600):
        tab.resize(width)
        tab.dark(scheme == "dark")
        opened(tab, server, f"/{name}/2")
        tab.value(f"{axe}; null")
        found = json.loads(tab.value(RULES))
        told = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
        assert told == [], (name, width)


def test_axe_finds_what_cannot_be_read(tab: Tab, server: Server, axe: str) -> None:
    """The test above sees what it looks for."""
    server.headers = {}
    text = server.pages["/closed/2"].replace("http-equiv", "data-nothing")
    server.pages["/pale/2"] = text.replace("--soft: #515d6c", "--soft: #a0a8b2")
    tab.dark(False)
    opened(tab, server, "/pale/2")
    tab.value(f"{axe}; null")
    assert "color-contrast" in [each["id"] for each in json.loads(tab.value(RULES))]


def test_the_keyboard_reaches_whatever_can_be_followed_or_opened(tab: Tab, server: Server) -> None:
    opened(tab, server, "/crashed/2")
    reached = []
    for _ in range(2):
        tab.press("Tab")
        reached.append(tab.value(FOCUSED))
    assert reached == ["Trace, 59 lines", "try 1"]
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.value(outline) == "solid"
    tab.events.clear()
    tab.press("Enter")
    tab.wait_for("Page.loadEventFired")
    assert tab.value("location.pathname") == "/crashed/1"


def test_it_is_printed_dark_on_white(tab: Tab, server: Server, tmp_path: Path) -> None:
    opened(tab, server, "/closed/2")
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    ground = tab.value("getComputedStyle(document.body).backgroundColor")
    ink = tab.value("getComputedStyle(document.body).color")
    tab.call("Emulation.setEmulatedMedia", media="")
    assert (ground, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    printed = tab.call("Page.printToPDF")["data"]
    assert printed.startswith("JVBERi0")


def test_a_file_needs_no_server(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(PAGES["warned"], {}), encoding="utf-8")
    tab.resize(1600)
    tab.open(file.as_uri())
    assert requested(tab) == [file.as_uri()]
    assert tab.seen("Log.entryAdded") == []
    assert tab.value("document.querySelector('.mark').innerText") == "Published with a warning"
