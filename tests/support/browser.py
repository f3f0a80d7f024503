"""Headless Chromium for the system tests that look at what a browser shows."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDED = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here: scripts/browser gets them"
)
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
