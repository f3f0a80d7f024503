"""The approval page as a person sees it."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from services import approval
from services.retrieval.settings import Door
from services.trigger import decide
from services.trigger.app import application
from services.trigger.page import page
from services.trigger.records import Kind, Reason
from taxohash.release.judging import Compared
from tests.support.browser import NEEDED, browsing
from tests.support.own_server import running
from tests.support.toy_trigger import COLLECTION, ToyTrigger

pytestmark = [pytest.mark.system, NEEDED]
SECRET = "the secret of links"


def test_a_person_looks_says_who_it_is_and_publishes(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, approval_secret=SECRET)
    toy.script(verdict="awaiting approval", generation="gen")
    reason = Reason(kind=Kind.ALERT, key="a", text="a", time=0.0)
    toy.keeper.change(lambda state: decide.asked(state, "retrain", reason))
    toy.settle()
    with running(application(toy.service), Door()) as server, browsing(tmp_path / "profile") as browser:
        base = f"http://localhost:{server.address[1]}"
        browser.get(approval.link(base, COLLECTION, "gen", SECRET, toy.now + 60))
        assert (
            "Awaiting approval: the fake says so"
            in browser.find_element(By.CSS_SELECTOR, "[role=status]").text
        )
        main = browser.find_element(By.TAG_NAME, "main")
        assert main.value_of_css_property("max-width") != "none"  # the style is let in
        button = browser.find_element(By.TAG_NAME, "button")
        button.click()
        assert not toy.ledger("approve")  # who is wanted first
        browser.find_element(By.ID, "who").send_keys("Ada")
        browser.find_element(By.ID, "why").send_keys("looked at the report")
        button.click()
        WebDriverWait(browser, 30).until(lambda found: "Published by Ada." in found.page_source)
        assert not browser.find_elements(By.TAG_NAME, "button")
        said: list[object] = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert not said  # nothing was blocked
        browser.get(approval.link(base, COLLECTION, "gen", SECRET, toy.now - 60))
        assert "link has expired" in browser.find_element(By.CSS_SELECTOR, "[role=status]").text
    assert len(toy.ledger("approve")) == 1


def test_it_fits_a_phone(tmp_path: Path) -> None:
    facts = {
        "Data version": "0123456789abcdef" * 2 + ".dir",
        "Report": f"s3://{'generations/' * 8}index.html",
    }
    names = ("mAP", "nDCG@100", "recall@10/superfamily")
    compared = [
        Compared(metric=name, value=0.5, bound=0.4, difference=0.1, low=-0.05, high=0.15) for name in names
    ]
    (tmp_path / "page.html").write_text(page("awaiting approval", facts, compared, asks=True))
    with browsing(tmp_path / "profile") as browser:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get((tmp_path / "page.html").as_uri())
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.execute_script(wide) == 0
