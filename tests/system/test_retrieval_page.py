"""The page in headless Chromium: what a visitor does, sees and is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from services.codestore import EmbeddedServer
from taxohash.generation.manifest import Generation
from tests.support.browser import NEEDED, browsing
from tests.support.generations import TAXONOMY
from tests.support.keyring import Keyring
from tests.support.serving import ITEMS, PICTURES, Service, environment, pictures_of, serving

pytestmark = [pytest.mark.system, NEEDED]
SECONDS = 30


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer, generation: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    pictures = str(pictures_of(generation))
    variables = environment(published_store.url, folder / "home", TAXOHASH_PICTURES=pictures)
    with serving(str(generation), variables, folder) as started:
        yield started


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with browsing(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


class Page:
    """The page as a visitor meets it."""

    def __init__(self, chromium: webdriver.Chrome, url: str) -> None:
        self.chromium = chromium
        chromium.get(url)

    def wait(self) -> WebDriverWait[webdriver.Chrome]:
        return WebDriverWait(self.chromium, SECONDS)

    def find(self, name: str) -> WebElement:
        return self.chromium.find_element(By.ID, name)

    def cards(self) -> list[WebElement]:
        return self.chromium.find_elements(By.CSS_SELECTOR, "#results .card")

    def loaded(self) -> "Page":
        self.wait().until(lambda _: self.find("served").is_displayed())
        return self

    def choose(self, picture: Path) -> None:
        self.find("picture").send_keys(str(picture))

    def answered(self, count: int) -> None:
        self.wait().until(lambda _: len(self.cards()) == count)

    def drawn(self, image: WebElement) -> None:
        """Wait until one of the made pictures, 8 pixels wide, is there."""
        self.wait().until(
            lambda browser: browser.execute_script("return arguments[0].naturalWidth", image) == 8
        )

    def complaints(self) -> list[object]:
        """What the browser's console has said since it was last asked."""
        said: list[object] = self.chromium.get_log("browser")  # type: ignore[no-untyped-call]
        return said

    def told(self) -> str:
        self.wait().until(lambda _: self.find("error").is_displayed())
        return self.find("error").text


@pytest.fixture
def page(chromium: webdriver.Chrome, service: Service) -> Page:
    return Page(chromium, service.url).loaded()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "my picture.png"
    file.write_bytes(PICTURES[5])
    return file


def answer_of(service: Service, picture: Path) -> dict[str, Any]:
    """What the service says of a picture."""
    told = httpx.post(
        f"{service.url}/v1/search", files={"image": ("picture", picture.read_bytes())}, timeout=SECONDS
    )
    return dict(told.json())


def test_what_an_answer_is_worth_is_shown_where_it_was_measured(
    page: Page, service: Service, picture: Path, chromium: webdriver.Chrome
) -> None:
    answer = answer_of(service, picture)
    chromium.execute_script("show(arguments[0])", answer)
    assert not page.find("own").is_displayed()
    assert not page.find("unlike").is_displayed()
    assert "likely" not in page.cards()[0].text
    for result in answer["results"]:
        result["probabilities"] = [0.987, 0.4][: len(result["label_path"])]
    chromium.execute_script(
        "show(arguments[0])", answer | {"predicted": [{"name": "warm", "confidence": 0.96}], "unlike": False}
    )
    assert "warm 96 %" in page.find("own").text
    assert not page.find("unlike").is_displayed()
    first = page.cards()[0]
    assert "99 % › 40 % likely the same" in first.text
    assert "all" not in (
        first.find_element(By.CLASS_NAME, "agreement").get_attribute("class") or ""
    )  # at 40 %
    chromium.execute_script("show(arguments[0])", answer | {"predicted": [], "unlike": False})
    assert "not sure" in page.find("own").text
    chromium.execute_script("show(arguments[0])", answer | {"predicted": [], "unlike": True})
    assert "Nothing like this is here" in page.find("unlike").text
    assert not page.find("own").is_displayed()


def test_far_answers_are_never_shown_as_good_ones(
    page: Page, service: Service, picture: Path, chromium: webdriver.Chrome
) -> None:
    answer = answer_of(service, picture)
    for distance, is_good in ((answer["bits"] // 4, True), (answer["bits"] // 2, False)):
        for result in answer["results"]:
            result |= {"distance": distance, "levels_agreed": len(result["label_path"])}
        answer["majority"] = [{"name": name, "items": 1} for name in answer["results"][0]["label_path"]]
        chromium.execute_script("show(arguments[0])", answer)
        shown = page.cards()[0].find_element(By.CLASS_NAME, "agreement").get_attribute("class") or ""
        assert ("all" in shown.split()) == is_good


def test_choosing_a_picture_shows_its_answers(
    page: Page, picture: Path, generation: Path, chromium: webdriver.Chrome
) -> None:
    assert page.find("generation").text == Generation.load(generation).id
    assert page.find("items").text == str(ITEMS)
    page.choose(picture)
    page.answered(12)
    first = page.cards()[0]
    assert "distance 0" in first.text
    assert " › ".join(TAXONOMY.paths[0]) in first.text
    assert page.find("preview").is_displayed()
    assert "12 answers by weights" in page.find("status").text
    assert page.find("majority").text
    pictures = chromium.find_elements(By.CSS_SELECTOR, "#results img, #preview")
    assert len(pictures) == 13
    for image in pictures:
        chromium.execute_script("arguments[0].scrollIntoView()", image)  # they load when they come into view
        page.drawn(image)


def test_nothing_on_the_way_offends_the_browser(page: Page, picture: Path) -> None:
    page.complaints()
    page.choose(picture)
    page.answered(12)
    assert page.complaints() == []


def test_the_tree_and_the_number_of_answers_can_be_chosen(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    page.find("k").clear()
    page.find("k").send_keys("5")
    Select(page.find("within")).select_by_value("cold/blue")
    page.answered(5)
    page.wait().until(lambda _: "within cold/blue" in page.find("status").text)
    assert all("cold › blue" in card.text for card in page.cards())
    names = [option.get_attribute("value") for option in Select(page.find("within")).options]
    assert len(names) == 1 + len(
        {path[:depth] for path in TAXONOMY.paths for depth in range(1, len(path) + 1)}
    )


def test_an_example_is_a_search(page: Page) -> None:
    page.wait().until(lambda _: page.find("examples").is_displayed())
    example = page.chromium.find_element(By.CSS_SELECTOR, "#example-list .again")
    example.click()
    page.answered(12)
    assert "distance 0" in page.cards()[0].text


def test_an_answer_is_the_next_search(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    second = page.cards()[1]
    item = second.find_element(By.CLASS_NAME, "again").get_attribute("title") or ""
    second.find_element(By.CLASS_NAME, "again").click()
    page.wait().until(lambda _: page.find("name").text.startswith("item "))
    page.wait().until(lambda _: "distance 0" in page.cards()[0].text)
    assert page.find("name").text.removeprefix("item ") in item


def test_what_the_service_refuses_is_shown_in_its_words(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.choose(text)
    assert "cannot be decoded" in page.told()
    assert page.find("go").is_enabled()


def test_a_bad_number_is_explained(page: Page, picture: Path) -> None:
    page.find("k").clear()
    page.find("k").send_keys("5000")
    page.choose(picture)
    assert "whole number from 1 to 1000" in page.told()


def test_searching_without_a_picture_asks_for_one(page: Page) -> None:
    page.find("go").click()
    assert page.told() == "Choose a picture first."


def test_names_from_the_data_are_text_never_markup(page: Page, chromium: webdriver.Chrome) -> None:
    options = [option.text.strip() for option in Select(page.find("within")).options]
    assert "grey <b>&amp; (0)" in options
    assert not chromium.find_elements(By.CSS_SELECTOR, "#within b")


def test_everything_has_a_name_for_those_who_do_not_see_it(
    page: Page, picture: Path, chromium: webdriver.Chrome
) -> None:
    page.choose(picture)
    page.answered(12)
    for control in chromium.find_elements(By.CSS_SELECTOR, "button, input, select"):
        if control.is_displayed() or control.get_attribute("type") == "file":
            assert control.accessible_name, control.get_attribute("outerHTML")
    for image in chromium.find_elements(By.TAG_NAME, "img"):
        assert image.get_attribute("alt"), image.get_attribute("outerHTML")


def test_the_page_fits_a_telephone(page: Page, picture: Path, chromium: webdriver.Chrome) -> None:
    chromium.set_window_size(500, 900)
    try:
        page.choose(picture)
        page.answered(12)
        width = chromium.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1]
    finally:
        chromium.set_window_size(1280, 1000)


def test_a_key_is_asked_for_and_used(
    published_store: EmbeddedServer,
    generation: Path,
    tmp_path: Path,
    chromium: webdriver.Chrome,
    picture: Path,
) -> None:
    keyring, pictures = Keyring(tmp_path / "keys.json"), str(pictures_of(generation))
    variables = environment(
        published_store.url,
        tmp_path / "home",
        TAXOHASH_API_KEYS_FILE=str(keyring.path),
        TAXOHASH_PICTURES=pictures,
    )
    with serving(str(generation), variables, tmp_path) as guarded:
        page = Page(chromium, guarded.url)
        assert "key" in page.told()
        page.find("key").send_keys(keyring.secrets["search"])
        page.find("key").submit()
        page.loaded()
        page.choose(picture)
        page.answered(12)
        thumbnail = page.cards()[0].find_element(By.TAG_NAME, "img")
        page.drawn(thumbnail)
