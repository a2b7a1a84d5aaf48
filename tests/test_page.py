"""The page of the endpoint, in Chromium: what it shows, by key and by keyboard, with nothing from elsewhere."""

import urllib.request
from decimal import Decimal

import chromium
import headrace
import pytest
from headrace.keys import KeyRing

pytestmark = pytest.mark.skipif(chromium.path() is None, reason="there is no Chromium")
LIVE = 'document.getElementById("state").textContent === "Live"'
TEXT = "document.body.innerText"


@pytest.fixture
def client():
    simulated = headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0)
    down = headrace.providers.OpenAICompatible("http://127.0.0.1:9/v1", name="down", api_key=None)
    return headrace.Client([simulated, down], max_attempts=1)


def use(client):
    client.costs.set_budget(Decimal("0.01"), tenant="reporting")
    client.costs.set_budget(Decimal("0.000001"), tenant="<b>ops</b>")
    usage = headrace.Usage(input_tokens=2000, output_tokens=1500)
    client.costs.record("openai/gpt-4o", usage, tenant="<b>ops</b>")
    client.costs.record("openai/gpt-4o-mini", usage, tenant="reporting")
    for number in range(8):
        client.chat("simulated/echo", f"Question {number % 4}?", tenant="reporting")
    "".join(chunk.text for chunk in client.stream("simulated/echo", "A stream?"))
    with pytest.raises(headrace.ProviderUnavailable):
        client.chat("down/echo", "?")


def test_it_shows_what_happened(client, tmp_path):
    with headrace.Server(client) as server, chromium.Page(tmp_path) as page:
        page.open(server.url)
        page.wait_for(LIVE)
        assert "No call has been answered yet." in page.run(TEXT)
        use(client)
        page.wait_for('document.getElementById("errors").innerText.includes("unavailable")')
        text = page.run(TEXT)
        assert "36.4 %" in text and "simulated/echo" in text and "cache, exact" in text
        # A tenant's name is text, whatever it looks like.
        assert "<b>ops</b>" in text and page.run('document.querySelectorAll("b").length') == 0
        assert page.run('document.querySelectorAll(".bar.bad").length') == 1
        assert page.complaints() == []
        assert {url.removeprefix(server.url) for url in page.requested()} <= {
            "/",
            "/v1/headrace/overview",
            "/favicon.ico",
        }
        # Paused by the keyboard, it asks no more.
        page.run('document.getElementById("pause").focus()')
        page.press(" ", code="Space", windowsVirtualKeyCode=32, text=" ")
        page.wait_for('document.getElementById("state").textContent === "Paused"')


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_and_is_legible(client, tmp_path, width, dark):
    use(client)
    with headrace.Server(client) as server, chromium.Page(tmp_path, width=width, dark=dark) as page:
        page.open(server.url)
        page.wait_for(LIVE)
        assert page.run("document.documentElement.scrollWidth") <= width
        page.run(CONTRAST)
        assert page.run("poorest()") >= 4.5


CONTRAST = """
globalThis.poorest = () => {
  const brush = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const parts = (colour) => { brush.clearRect(0, 0, 1, 1); brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data]; };
  const light = (colour) => parts(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => { for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor; if (parts(colour)[3] > 0) return colour; } return "white"; };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && one.innerText
    && [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()));
  return Math.min(...texts.map((one) => { const pair = [light(getComputedStyle(one).color), light(ground(one))].sort();
    return (pair[1] + 0.05) / (pair[0] + 0.05); }));
};
"""


def test_it_asks_for_a_key_and_keeps_it_to_itself(client, tmp_path):
    file = f"sqlite:///{tmp_path / 'keys.db'}"
    ring = KeyRing(file)
    _kept, mine = ring.create("reporting")
    _kept, admin = ring.create("ops", admin=True)
    use(client)
    with headrace.Server(client, keys=file) as server, chromium.Page(tmp_path / "browser") as page:
        page.open(server.url)
        page.wait_for('document.activeElement.id === "key-text"')
        for key, seen in [("hr_wrong", "This key is not known here"), (mine, "Shown to a key of an administrator.")]:
            page.call("Input.insertText", text=key)
            page.press("Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
            page.wait_for(f"{TEXT}.includes({seen!r})")
        assert "ops" not in page.run(TEXT)
        page.open(server.url)
        page.wait_for('document.activeElement.id === "key-text"')
        page.call("Input.insertText", text=admin)
        page.press("Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
        page.wait_for(f'{TEXT}.includes("<b>ops</b>")')
        kept = page.run("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
        assert admin not in kept and admin not in page.run("document.documentElement.outerHTML")
        assert not any(admin in url for url in page.requested())


def test_nothing_from_elsewhere_may_run_in_it(client):
    with headrace.Server(client) as server:
        replies = [urllib.request.urlopen(server.url) for _ in range(2)]
    policies = [reply.headers["content-security-policy"] for reply in replies]
    assert policies[0] != policies[1]
    assert "default-src 'none'" in policies[0] and "unsafe" not in policies[0]
    page = replies[0].read().decode()
    assert page.count("nonce=") == 2 and "NONCE" not in page and "http" not in page
