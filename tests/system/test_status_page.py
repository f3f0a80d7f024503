"""The page of the status in headless Chromium: what it shows, says and asks for."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from services.codestore import EmbeddedServer
from services.retrieval.readiness import Standing
from tests.support.browser import AXE, NEEDED, Shown, barriers
from tests.support.keyring import Keyring
from tests.support.recorded import Metrics, recorder_of
from tests.support.serving import ITEMS, Service, environment, serving

pytestmark = [pytest.mark.system, NEEDED]


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer,
    generation: Path,
    keyring: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    variables = environment(published_store.url, folder / "home", TAXOHASH_API_KEYS_FILE=str(keyring.path))
    with serving(str(generation), variables, folder) as started:
        yield started


@pytest.fixture(scope="module")
def drifted() -> dict[str, Any]:
    """What a service would tell: twelve minutes, in which a generation took another's place, and then much is amiss."""
    metrics = Metrics()

    def between(reading: int) -> None:
        if reading == 60:
            metrics.swap("b")
        metrics.ask(20, far=5 if reading > 60 else 2, bands=[0] if reading > 60 else range(4))
        metrics.requests["5xx"] += reading > 138

    told = recorder_of(metrics, 145, between).told(
        "signs", 700, Standing("b", "b", "b", reachable=True, age_seconds=0.2), "ready", False, 900.0
    )
    return asyncio.run(told)


class Page(Shown):
    """The page as somebody with a key meets it."""

    def __init__(self, chromium: webdriver.Chrome, service: Service) -> None:
        super().__init__(chromium)
        chromium.get(f"{service.url}/status")
        self.until(lambda: self.find("key").is_displayed())

    def give(self, key: str) -> "Page":
        self.find("key").clear()
        self.find("key").send_keys(key, Keys.ENTER)
        return self

    def loaded(self) -> "Page":
        self.until(lambda: self.find("verdict").is_displayed())
        return self

    def answer_with(self, told: dict[str, Any] | None) -> None:
        """From now on the service says this, or is away."""
        said = (
            "Promise.reject(new TypeError())"
            if told is None
            else f"Promise.resolve(new Response({json.dumps(json.dumps(told))}))"
        )
        self.chromium.execute_script(
            f"window.asked = 0; window.fetch = () => {{ asked += 1; return {said}; }}"
        )

    def asks(self) -> None:
        """Ask once more, at once."""
        self.chromium.execute_script("document.getElementById('minutes').dispatchEvent(new Event('change'))")

    def curve(self, name: str) -> str:
        return self.find(f"curve-{name}").text.replace("\u00a0", " ")

    def described(self, name: str) -> str:
        """What is told of a curve's picture to those who do not see it."""
        return (self.all(f"#curve-{name} svg[role]")[0].accessible_name or "").replace("\u00a0", " ")


@pytest.fixture
def page(chromium: webdriver.Chrome, service: Service, keyring: Keyring) -> Page:
    return Page(chromium, service).give(keyring.secrets["search"]).loaded()


def test_a_key_is_asked_for_and_then_it_is_told_how_the_service_does(
    chromium: webdriver.Chrome, service: Service, keyring: Keyring
) -> None:
    chromium.get("about:blank")
    page = Page(chromium, service)
    assert "A key with the right role is needed here" in page.find("error").text
    assert not page.find("shown").is_displayed()
    page.give("wrong")
    page.until(lambda: "unknown or has expired" in page.find("error").text)
    page.complaints()  # the refusals
    page.give(keyring.secrets["search"]).loaded()
    assert not page.find("error").is_displayed()
    assert page.find("verdict-title").text == "All is well"
    assert "Not known now: " in page.find("lacking").text
    told = {
        one.find_element(By.TAG_NAME, "dt").text: one.find_element(By.TAG_NAME, "dd").text
        for one in page.all("#figures div")
    }
    assert (told["state"], told["codes"], told["published"]) == ("ready", str(ITEMS), "the same")
    httpx.post(f"{service.url}/v1/search", json={"id": "item 4"}, headers=dict(keyring.headers("search")))
    page.until(
        lambda: page.all("#curve-requests path + path, #curve-latency svg[role] path")
    )  # it asks by itself
    assert "–" not in page.curve("memory")
    assert page.complaints() == []
    page.all("nav a")[0].click()
    page.until(lambda: page.all("#search"))
    page.all("nav a[href='/status']")[0].click()
    page.until(lambda: page.all("#verdict"))


def test_what_is_amiss_is_said_and_drawn_for_everybody(page: Page, drifted: dict[str, Any]) -> None:
    page.answer_with(drifted)
    page.asks()
    page.until(lambda: page.find("verdict-title").text == "It serves, and not all is well")
    findings = [finding.text for finding in page.all("#findings li")]
    assert [finding.split(": ")[0].lower() for finding in findings] == ["warning"] * 3
    assert "25% of 1,680 searches in 10 minutes are far from every item" in " ".join(findings)
    assert page.find("unjudged").text == ""
    assert "b took the place of a" in page.find("swaps").text
    assert len(page.all("#curve-far .swap")) == 1
    assert len(page.all("#curve-far line.usual")) == 1
    assert "25 %" in page.curve("far")
    assert "usual: 10 %" in page.curve("far")
    assert page.curve("latency").count("ms") >= 4
    assert "far from 10 % to 25 %" in page.described("far")
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert not AXE or barriers(page.chromium) == []
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    width = page.chromium.execute_script("return document.documentElement.scrollWidth")
    page.chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 360


def test_values_of_another_time_are_found_by_the_keyboard_and_by_pointing(
    page: Page, drifted: dict[str, Any]
) -> None:
    page.answer_with(drifted)
    page.asks()
    page.until(lambda: "25 %" in page.curve("far"))
    page.find("at").send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 30)
    page.until(lambda: page.find("at-told").text != "now")
    assert "\n10 %\n" in page.curve("far")
    assert page.find("at").get_attribute("aria-valuetext") == page.find("at-told").text
    page.asks()
    page.until(lambda: page.chromium.execute_script("return asked") > 1)
    assert "\n10 %\n" in page.curve("far")  # what was chosen stays
    page.find("at").send_keys(Keys.END)
    page.until(lambda: "\n25 %\n" in page.curve("far"))
    page.chromium.execute_script(
        """
        const picture = document.querySelector("#curve-requests svg[role]");
        const { left, width } = picture.getBoundingClientRect();
        picture.dispatchEvent(new PointerEvent("pointermove", { clientX: left + 0.3 * width }));
        """
    )
    assert "\n10 %\n" in page.curve("far")
    assert page.find("at-told").text != "now"
    page.chromium.execute_script(
        "document.querySelector('#curve-requests svg[role]').dispatchEvent(new PointerEvent('pointerleave'))"
    )
    assert page.find("at-told").text == "now"


def test_it_asks_while_somebody_looks_and_says_when_the_service_is_away(
    page: Page, drifted: dict[str, Any]
) -> None:
    def asked() -> int:
        return int(page.chromium.execute_script("return asked"))

    def look(hidden: bool) -> None:
        page.chromium.execute_script(
            "Object.defineProperty(document, 'hidden', { configurable: true, value: arguments[0] });"
            "document.dispatchEvent(new Event('visibilitychange'))",
            hidden,
        )

    def timers() -> int:
        """How many are set to ask again."""
        return int(page.chromium.execute_script("return timers.size"))

    page.chromium.execute_script(
        """
        window.timers = new Set();
        const [set, clear] = [window.setTimeout, window.clearTimeout];
        window.setTimeout = (work, wait) => {
          const timer = set(() => { timers.delete(timer); work(); }, wait / 50);
          timers.add(timer);
          return timer;
        };
        window.clearTimeout = (timer) => { timers.delete(timer); clear(timer); };
        """
    )
    page.answer_with(drifted)
    page.asks()
    page.until(lambda: asked() > 2)
    look(hidden=True)
    assert timers() == 0
    before = asked()
    look(hidden=False)
    page.until(lambda: asked() > before + 1)
    page.find("pause").click()
    assert (page.find("pause").text, timers()) == ("Go on", 0)
    look(hidden=False)
    assert timers() == 0
    page.answer_with(None)
    page.find("pause").click()
    page.until(lambda: "The service cannot be reached" in page.find("error").text)
    assert "What follows is of " in page.find("error").text
    assert not page.find("verdict").is_displayed()
    page.answer_with(drifted)
    page.until(lambda: page.find("verdict").is_displayed())
    assert not page.find("error").is_displayed()
