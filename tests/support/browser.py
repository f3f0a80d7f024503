"""Headless Chromium for the system tests that look at what a browser shows."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDED = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here: scripts/browser gets them"
)
SECONDS = 30
ROOT = Path(__file__).resolve().parents[2]
AXE = next(iter(sorted((ROOT / ".cache" / "browser").glob("axe-*.min.js"))), None)
AXE_NEEDED = pytest.mark.skipif(AXE is None, reason="no axe-core here: scripts/browser gets it where npm is")
SWITCHES = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
]


@contextmanager
def browsing(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser that keeps what it keeps in the folder `profile`, and is closed afterwards."""
    options = webdriver.ChromeOptions()
    assert CHROMIUM
    options.binary_location = CHROMIUM
    for switch in [*SWITCHES, f"--user-data-dir={profile}"]:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Shown:
    """What a browser shows."""

    def __init__(self, chromium: webdriver.Chrome) -> None:
        self.chromium = chromium

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for what must come."""
        WebDriverWait(self.chromium, SECONDS).until(lambda _: holds())

    def find(self, name: str) -> WebElement:
        """The element of this id."""
        return self.chromium.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a CSS selector chooses."""
        return self.chromium.find_elements(By.CSS_SELECTOR, selector)

    def complaints(self) -> list[str]:
        """What the browser's console has said since it was last asked."""
        said = self.chromium.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in said]


def barriers(driver: webdriver.Chrome, *rules: str) -> list[str]:
    """What axe-core finds on a page that keeps somebody from using it, or makes it hard: rule, and where.

    Args:
        rules: to look for; all where none is named.
    """
    assert AXE
    if not driver.execute_script("return 'axe' in window"):
        driver.execute_script(AXE.read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        """
        const [rules, done] = arguments;
        const options = { resultTypes: ["violations"], ...(rules.length ? { runOnly: rules } : {}) };
        axe.run(options).then(({ violations }) => done(violations), done);
        """,
        rules,
    )
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
