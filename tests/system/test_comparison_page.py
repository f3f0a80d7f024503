"""The page of a comparison in Chromium: wide and narrow, light and dark."""

from pathlib import Path

import pytest

from taxohash.release.comparison import comparison
from taxohash.release.comparison_page import write_comparison
from taxohash.release.query_sets import QuerySet
from taxohash.release.shadow import shadow
from tests.support.browser import AXE_NEEDED, NEEDED, Shown, barriers, browsing
from tests.support.generations import TAXONOMY
from tests.support.shadows import PICTURES, generation, labels_of

pytestmark = [pytest.mark.system, pytest.mark.slow, NEEDED, AXE_NEEDED]
ITEMS = [*PICTURES]


def test_it_fits_every_screen_and_keeps_nobody_out(tmp_path: Path) -> None:
    one, other = generation(tmp_path / "a", 0, ITEMS[:50]), generation(tmp_path / "b", 1, ITEMS[8:], bits=31)
    labels = [[TAXONOMY.paths[label] for label in labels_of(item)] for item in ITEMS]
    asked = QuerySet("test", ITEMS, lambda rows: [PICTURES[ITEMS[row]] for row in rows], labels, True)
    found = shadow(one, other, [asked])
    page = write_comparison(tmp_path, comparison(found), found, lambda ids: {i: PICTURES[i] for i in ids})
    with browsing(tmp_path / "profile") as driver:
        shown = Shown(driver)
        for width in (1280, 360):
            for scheme in ("light", "dark"):
                media = [{"name": "prefers-color-scheme", "value": scheme}]
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
                driver.execute_cdp_cmd(
                    "Emulation.setDeviceMetricsOverride",
                    {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
                )
                driver.get(page.as_uri())
                assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
                assert barriers(driver) == []
        assert shown.all("img")
        assert shown.complaints() == []
