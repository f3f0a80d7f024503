"""The page in headless Chromium: what a visitor does, sees and is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from services.codestore import EmbeddedServer
from taxohash.generation.manifest import Generation
from tests.support.browser import AXE_NEEDED, NEEDED, Shown, barriers
from tests.support.generations import TAXONOMY, png
from tests.support.keyring import Keyring
from tests.support.serving import IDS, ITEMS, PICTURES, Service, environment, pictures_of, serving

pytestmark = [pytest.mark.system, NEEDED]


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer, generation: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    pictures = str(pictures_of(generation))
    variables = environment(published_store.url, folder / "home", TAXOHASH_PICTURES=pictures)
    with serving(str(generation), variables, folder) as started:
        yield started


class Page(Shown):
    """The page as a visitor meets it."""

    def __init__(self, chromium: webdriver.Chrome, url: str) -> None:
        super().__init__(chromium)
        self.url = url
        chromium.get(url)

    def cards(self) -> list[WebElement]:
        return self.all("#results .card")

    def loaded(self) -> "Page":
        self.until(lambda: self.find("served").is_displayed())
        return self

    def choose(self, picture: Path) -> None:
        self.find("picture").send_keys(str(picture))

    def ask_for(self, count: str) -> None:
        """Ask for so many answers."""
        self.find("k").send_keys(Keys.CONTROL + "a" + Keys.NULL, count, Keys.ENTER)

    def answered(self, count: int) -> None:
        self.until(lambda: len(self.cards()) == count)

    def says(self, text: str, name: str = "status") -> None:
        self.until(lambda: text in self.find(name).text)

    def drawn(self, image: WebElement) -> None:
        """Wait until one of the made pictures, 8 pixels wide, is there."""
        self.until(lambda: self.chromium.execute_script("return arguments[0].naturalWidth", image) == 8)

    def state(self) -> dict[str, list[str]]:
        """What stands in the address."""
        return parse_qs(urlsplit(self.chromium.current_url).query)

    def has(self, **state: str) -> None:
        """Wait until the address has these, and nothing else."""
        self.until(lambda: self.state() == {name: [value] for name, value in state.items()})

    def focus(self) -> WebElement:
        return self.chromium.switch_to.active_element

    def press(self, *keys: str) -> None:
        for key in keys:
            self.focus().send_keys(key)

    def answer_by(self, script: str) -> None:
        """Let `fetch` of searches be another one: the body of a function of `found`, what it would have given."""
        self.chromium.execute_script(
            """
            const whole = window.whole ??= window.fetch;
            const other = new Function("found", arguments[0]);
            window.asked = 0;
            window.fetch = (path, options) => {
              const found = () => whole(path, options);
              if (!path.startsWith("/v1/search")) return found();
              window.asked += 1;
              return other(found);
            };
            """,
            script,
        )

    def answer_with(self, answer: dict[str, Any]) -> None:
        """Let the next search be answered so."""
        self.answer_by(f"return Promise.resolve(new Response({json.dumps(json.dumps(answer))}))")

    def told(self) -> str:
        self.until(lambda: self.find("error").is_displayed())
        return self.find("error").text


@pytest.fixture
def page(chromium: webdriver.Chrome, service: Service) -> Page:
    return Page(chromium, service.url).loaded()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "my picture.png"
    file.write_bytes(PICTURES[5])
    return file


@pytest.fixture(scope="module")
def answer(service: Service) -> dict[str, Any]:
    """What the service says of a picture."""
    return dict(service.post(PICTURES[5]).json())


def classes(found: WebElement) -> list[str]:
    return (found.get_attribute("class") or "").split()


# -- searching --------------------------------------------------------------------------------------------------------


def test_choosing_a_picture_shows_its_answers(
    page: Page, picture: Path, generation: Path, chromium: webdriver.Chrome
) -> None:
    assert page.find("generation").text == Generation.load(generation).id
    assert page.find("items").text == str(ITEMS)
    page.complaints()
    page.choose(picture)
    page.answered(12)
    first = page.cards()[0]
    assert "distance 0" in first.text
    assert [crumb.text for crumb in first.find_elements(By.CLASS_NAME, "crumb")] == list(TAXONOMY.paths[0])
    assert first.find_element(By.CLASS_NAME, "mark").text == "identical"
    assert page.find("preview").is_displayed()
    assert "12 answers by weights" in page.find("status").text
    assert page.find("majority").text
    pictures = page.all("#results img, #preview")
    assert len(pictures) == 13
    for image in pictures:
        chromium.execute_script("arguments[0].scrollIntoView()", image)  # they load when they come into view
        page.drawn(image)
    assert page.complaints() == []


def test_the_number_of_answers_and_groups_can_be_chosen(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    page.ask_for("5")
    page.answered(5)
    Select(page.find("group")).select_by_value("kind")
    page.until(lambda: page.all("#results .group h3"))
    titles = [title.text for title in page.all("#results .group h3")]
    assert all(title.split()[0] in ("warm", "cold") for title in titles)
    assert len(page.cards()) == 5


def test_an_example_is_a_search_and_so_is_an_answer(page: Page) -> None:
    page.until(lambda: page.find("examples").is_displayed())
    page.all("#example-list a")[0].click()
    page.answered(12)
    assert not page.find("examples").is_displayed()
    first = page.find("name").text
    assert first.startswith("item ")
    page.cards()[1].find_element(By.CLASS_NAME, "again").click()
    page.until(lambda: page.find("name").text not in ("", first))
    page.has(id=page.find("name").text.removeprefix("item "))


# -- what an answer is worth ------------------------------------------------------------------------------------------


def test_what_an_answer_is_worth_is_shown_where_it_was_measured(
    page: Page, answer: dict[str, Any], picture: Path
) -> None:
    def shown(**told: Any) -> None:
        page.answer_with(answer | told)
        page.find("go").click()
        page.until(lambda: page.chromium.execute_script("return window.asked"))
        page.says("answers")

    page.choose(picture)
    page.answered(12)
    assert not page.find("own").is_displayed()
    assert not page.find("unlike").is_displayed()
    assert "likely" not in page.cards()[0].text
    results = [
        result | {"probabilities": [0.987, 0.4, 0.1][: len(result["label_path"])]}
        for result in answer["results"]
    ]
    shown(predicted=[{"name": "warm", "confidence": 0.96}], unlike=False, results=results)
    assert page.find("own").text.split()[-3:] == ["warm", "96", "%"]
    assert not page.find("unlike").is_displayed()
    first = page.cards()[0]
    assert "99 % › 40 % › 10 % likely" in first.text
    assert "all" not in classes(first.find_element(By.CLASS_NAME, "agreement"))  # at 10 %
    assert "same" in classes(first.find_element(By.CLASS_NAME, "crumb"))  # at 99 %
    shown(predicted=[], unlike=False)
    assert "not sure" in page.find("own").text
    shown(predicted=[], unlike=True)
    assert "Nothing like this is here" in page.find("unlike").text
    assert not page.find("own").is_displayed()


def test_far_answers_are_never_shown_as_good_ones(page: Page, answer: dict[str, Any], picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    for distance, likely, is_good in ((answer["bits"] // 4, None, True), (answer["bits"] // 2, 1.0, False)):
        results = [
            result
            | {"distance": distance, "levels_agreed": len(result["label_path"])}
            | ({"probabilities": [likely] * len(result["label_path"])} if likely else {})
            for result in answer["results"]
        ]
        majority = [{"name": name, "items": 1} for name in results[0]["label_path"]]
        page.answer_with(answer | {"results": results, "majority": majority})
        page.find("go").click()
        page.says(f"distance {distance}", "results")
        assert ("all" in classes(page.cards()[0].find_element(By.CLASS_NAME, "agreement"))) == is_good
        assert bool(page.cards()[0].find_elements(By.CLASS_NAME, "same")) == is_good


# -- the address ------------------------------------------------------------------------------------------------------


def test_the_address_is_the_state_and_back_asks_for_nothing_again(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    page.until(lambda: "code" in page.state())
    shared = page.chromium.current_url
    page.answer_by("return found()")
    page.cards()[1].find_element(By.CLASS_NAME, "again").click()
    page.says("item ", "name")
    by_item = page.state()
    page.answered(12)
    page.cards()[0].find_elements(By.CLASS_NAME, "crumb")[0].click()
    page.until(lambda: "within" in page.state())
    page.says("within")
    assert page.chromium.execute_script("return window.asked") == 2
    page.chromium.back()
    page.until(lambda: page.state() == by_item)
    page.until(lambda: "within" not in page.find("status").text)
    page.chromium.back()
    page.says("my picture.png", "name")
    page.says("by weights")
    page.chromium.forward()
    page.says("item ", "name")
    assert page.chromium.execute_script("return window.asked") == 2
    page.chromium.get(shared)  # as another gets it, who has not the picture
    page.answered(12)
    assert "only the browser has that chose it" in page.find("name").text
    assert "distance 0" in page.cards()[0].text


def test_a_picture_that_was_never_answered_is_asked_for_again(page: Page) -> None:
    page.chromium.get(f"{page.url}/?picture=1&k=3")
    page.loaded()
    assert "choose it again" in page.find("name").text
    assert page.find("examples").is_displayed()
    assert not page.find("error").is_displayed()


# -- the tree ---------------------------------------------------------------------------------------------------------


def rows(page: Page) -> list[str]:
    """Names of the tree's rows, as they are read to those who do not see them."""
    return [row.accessible_name for row in page.all("#tree li")]


def test_a_crumb_and_the_tree_restrict_the_search(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    page.all("#results .crumb")[0].click()
    page.says("within warm")
    assert page.find("chips").text.split()[:2] == ["within", "warm"]
    page.all("#chips .away")[0].click()
    page.until(lambda: not page.find("chips").is_displayed())
    page.find("filter").send_keys("NAV")
    page.until(lambda: len(rows(page)) == 1)
    assert rows(page) == ["cold › blue › navy 140 items"]
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.says("within cold/blue/navy")
    assert all("navy" in card.text for card in page.cards())
    assert page.all('#tree li[aria-selected="true"]')


def test_the_tree_is_walked_by_the_keyboard(page: Page) -> None:
    assert rows(page)[:2] == ["cold 280 items", "blue 280 items"]
    page.find("filter").send_keys(Keys.ARROW_DOWN)
    page.press(Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.focus().accessible_name == "cold 280 items"
    page.press(Keys.ARROW_DOWN)
    assert page.focus().accessible_name == "grey <b>&amp; 0 items"  # names are text, never markup
    assert not page.all("#tree b")
    page.press(Keys.SPACE)
    assert page.state() == {}  # there is nothing below it


@pytest.mark.parametrize("count", [450, 10_000])
def test_a_tree_of_thousands_of_nodes_is_shown_in_parts(page: Page, count: int) -> None:
    page.chromium.execute_async_script(
        """
        const [count, done] = arguments;
        const nodes = [{ path: ["all"], items: count }];
        for (let node = 0; node < count; node++) nodes.push({ path: ["all", `node ${node}`], items: 1 });
        import("/page/happenings.js").then(({ tell }) => {
          tell("served", { generation: {}, taxonomy: { levels: ["root", "leaf"], nodes } });
          done();
        });
        """,
        count,
    )
    page.find("filter").send_keys(Keys.ARROW_DOWN)
    page.press(Keys.ARROW_RIGHT)
    page.until(lambda: len(page.all("#tree li")) == 202)
    assert page.all("#tree li")[-1].text == f"{count - 200:,} more"
    page.press(Keys.END, Keys.ENTER)
    page.until(lambda: len(page.all("#tree li")) == 402)
    page.find("filter").send_keys(f"node {count - 1}")
    page.until(lambda: rows(page) == [f"all › node {count - 1} 1 item"])


# -- one item ---------------------------------------------------------------------------------------------------------


def test_an_item_is_opened_and_closed(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.answered(12)
    page.until(lambda: "code" in page.state())
    behind = page.state()
    opener = page.cards()[0].find_element(By.CLASS_NAME, "picture")
    opener.click()
    page.until(lambda: page.find("item-similar").find_elements(By.CLASS_NAME, "card"))
    assert page.find("item-id").text == IDS[5] == page.state()["item"][0]
    page.drawn(page.find("item-picture"))
    assert [crumb.text for crumb in page.all("#item-paths .crumb")] == list(TAXONOMY.paths[0])
    page.all("#item-similar .picture")[0].click()
    page.until(lambda: page.find("item-id").text != IDS[5])
    page.chromium.back()
    page.until(lambda: page.find("item-id").text == IDS[5])
    page.chromium.forward()
    page.until(lambda: page.find("item-id").text != IDS[5])
    page.press(Keys.ESCAPE)  # all of it, not to the item before
    page.until(lambda: not page.find("item").is_displayed())
    assert page.state() == behind
    assert page.focus() == opener


def test_a_picture_is_shown_no_more_once_it_is_replaced_or_deleted(service: Service, page: Page) -> None:
    def put(side: int) -> str:
        picture, headers = png(np.full((side, side), side, np.uint8)), {"Content-Type": "image/png"}
        answer = httpx.put(url, params=named, content=picture, headers=headers)
        return str(answer.raise_for_status().json()["token"])

    def shows(side: int) -> None:
        """The item view has the picture that is so wide."""
        script = "return document.getElementById('item-picture').naturalWidth"
        page.until(lambda: page.chromium.execute_script(script) == side)

    def status() -> object:
        script = "fetch('/v1/image?id=replaced').then(({ status }) => arguments[0](status))"
        return page.chromium.execute_async_script(script)

    url, named = f"{service.url}/v1/item", {"id": "replaced"}
    put(16)
    Page(page.chromium, f"{page.url}/?item=replaced")
    shows(16)
    script = "import('/page/writes.js').then(({ wrote, changed }) => { wrote(arguments[0]); changed(); })"
    page.chromium.execute_script(script, put(24))  # as if by this page
    shows(24)
    put(32)
    page.chromium.get(f"{page.url}/?id=item+1&item=replaced")
    shows(32)
    assert status() == 200
    httpx.delete(url, params=named).raise_for_status()
    assert status() == 404


def test_an_item_of_a_shared_address_is_shown_and_searched_by(page: Page) -> None:
    page.chromium.get(f"{page.url}/?item=item+8")
    page.until(lambda: page.find("item-again").is_displayed())
    assert page.find("item-tags").text == "summer"
    page.find("item-again").click()
    page.has(id="item 8")
    page.answered(12)
    page.chromium.back()
    page.until(lambda: page.find("item-tags").is_displayed())
    page.find("item-tags").find_element(By.TAG_NAME, "a").click()
    page.has(tags="summer")
    assert page.find("chips").text.split()[:2] == ["tagged", "summer"]
    page.chromium.get(f"{page.url}/?item=nobody")
    page.says("no item 'nobody'", "item-error")
    page.find("item-close").click()
    page.has()


# -- where it does not go well ----------------------------------------------------------------------------------------


def test_what_the_service_refuses_is_shown_in_its_words(page: Page, tmp_path: Path, picture: Path) -> None:
    page.find("go").click()
    assert page.told() == "Choose a picture first."
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.choose(text)
    page.says("cannot be decoded", "error")
    assert page.find("go").is_enabled()
    page.choose(picture)
    page.answered(12)
    assert not page.find("error").is_displayed()
    page.ask_for("5000")
    page.says("whole number from 1 to 1000", "error")


def test_slow_and_failing_searches_can_be_stopped_and_tried_again(page: Page, picture: Path) -> None:
    page.answer_by("return new Promise(() => {})")
    page.choose(picture)
    page.until(lambda: page.find("slow").is_displayed())
    page.find("cancel").click()
    assert not page.find("slow").is_displayed()
    page.answer_by("return Promise.reject(new TypeError())")
    page.find("go").click()
    assert "cannot be reached" in page.told()
    page.answer_by("return found()")
    page.find("error").find_element(By.TAG_NAME, "button").click()
    page.answered(12)
    assert not page.find("error").is_displayed()


def test_an_empty_answer_says_why_and_leads_out(page: Page, picture: Path) -> None:
    page.chromium.get(f"{page.url}/?{urlencode({'within': 'grey <b>&amp;'})}")
    page.loaded()
    page.choose(picture)
    page.until(lambda: page.find("empty").is_displayed())
    assert page.cards() == []
    page.find("lift").find_element(By.TAG_NAME, "a").click()
    page.answered(12)
    assert not page.find("empty").is_displayed()


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
        page = Page(chromium, f"{guarded.url}/?item=item+8")
        page.until(lambda: "key" in page.find("item-error").text)
        page.press(Keys.ESCAPE)
        assert "key" in page.told()
        page.find("key").send_keys(keyring.secrets["search"], Keys.ENTER)
        page.loaded()
        page.choose(picture)
        page.answered(12)
        page.drawn(page.cards()[0].find_element(By.TAG_NAME, "img"))


# -- for everybody ----------------------------------------------------------------------------------------------------


@AXE_NEEDED
def test_axe_finds_nothing_serious(page: Page, answer: dict[str, Any], picture: Path) -> None:
    def found() -> list[str]:
        said = []
        for scheme, *rules in (("light",), ("dark", "color-contrast")):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            page.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            said += [f"{scheme}: {barrier}" for barrier in barriers(page.chromium, *rules)]
        return said

    page.until(lambda: page.find("examples").is_displayed())
    assert found() == []
    results = [
        result
        | {"probabilities": [0.9, 0.4, 0.1][: len(result["label_path"])], "distance": [0, 2, 11][row % 3]}
        for row, result in enumerate(answer["results"])
    ]
    page.choose(picture)
    page.answered(12)
    page.answer_with(answer | {"results": results, "unlike": True, "predicted": []})
    page.all("#results .crumb")[0].click()
    page.until(lambda: page.find("unlike").is_displayed())
    assert found() == []
    page.cards()[0].find_element(By.CLASS_NAME, "picture").click()
    page.until(lambda: page.find("item-similar").find_elements(By.CLASS_NAME, "card"))
    assert found() == []
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.find("item").is_displayed())
    page.answer_by("return Promise.reject(new TypeError())")
    page.find("go").click()
    assert page.told()
    page.chromium.execute_script(
        "for (const id of arguments) document.getElementById(id).hidden = false", "slow", "key-field"
    )
    assert found() == []


def test_the_page_fits_a_telephone(page: Page, picture: Path, chromium: webdriver.Chrome) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.choose(picture)
        page.answered(12)
        page.cards()[0].find_element(By.CLASS_NAME, "picture").click()
        page.until(lambda: page.find("item-similar").find_elements(By.CLASS_NAME, "card"))
        width = "return [document.documentElement.scrollWidth, document.getElementById('item').scrollWidth]"
        assert max(chromium.execute_script(width)) <= 360
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
