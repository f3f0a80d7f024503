"""The page's panels in headless Chromium: upload, edit and delete, the map of codes, generations and the way back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from services.codestore import CodeStore, EmbeddedServer
from services.lineage import note_origin
from taxohash.evaluation.projection import projection
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from taxohash.runtime.configuration import plain
from tests.support.browser import AXE, NEEDED, Shown, barriers
from tests.support.generations import make_generation
from tests.support.keyring import Keyring
from tests.support.lineages import origin_of_run
from tests.support.serving import COLLECTION, PICTURES, Service, environment, pictures_of, publish, serving

pytestmark = [pytest.mark.system, NEEDED]


def mapped_generation(generations: Path, seed: int) -> Hasher:
    """One with a map of its codes, in a folder of generations."""
    draft = generations / "draft"
    made = make_generation(draft, seed)
    codes = Hasher(draft).encode(decode(picture) for picture in PICTURES)
    made = replace(made, projection=plain(projection(codes, made.bits))).write(draft)
    return Hasher(draft.rename(generations / made.id))


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    """The second is published in the place of the first."""
    folder = tmp_path_factory.mktemp("panels") / "generations"
    return [mapped_generation(folder, seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def service(
    hashers: list[Hasher], keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as store:
        for hasher in hashers:
            publish(store.url, hasher.folder)
        with CodeStore.connect(store.url) as connected:
            made = hashers[1].generation
            note_origin(connected, COLLECTION, made.id, origin_of_run(made, hashers[0].generation.id))
        variables = environment(
            store.url,
            folder / "home",
            TAXOHASH_PICTURES=str(pictures_of(hashers[1].folder)),
            TAXOHASH_GENERATIONS=str(hashers[0].folder.parent),
            TAXOHASH_API_KEYS_FILE=str(keyring.path),
            TAXOHASH_ADMIN_REDIS_URL=store.url,
        )
        with serving(str(hashers[1].folder), variables, folder) as started:
            yield started


class Page(Shown):
    """The page as somebody with a key meets it."""

    def __init__(self, chromium: webdriver.Chrome, service: Service, key: str, query: str = "") -> None:
        super().__init__(chromium)
        chromium.get(f"{service.url}/?{query}")
        self.until(lambda: self.find("key").is_displayed())
        self.find("key").send_keys(key, Keys.ENTER)
        self.until(lambda: self.find("served").is_displayed())

    def press(self, text: str, within: str = "body") -> None:
        """Press the button of this name, once it is there."""

        def shown() -> list[WebElement]:
            buttons = self.all(f"{within} button")
            return [one for one in buttons if one.is_displayed() and one.text == text]

        self.until(shown)
        shown()[0].click()

    def says(self, text: str, selector: str) -> None:
        self.until(lambda: any(text in one.text for one in self.all(selector)))

    def panels(self) -> list[str]:
        return [one.text for one in self.all("#panels a") if one.is_displayed()]

    def leads(self, text: str, within: str = "body") -> None:
        """Follow the link of this name, once it is there."""

        def shown() -> list[WebElement]:
            return [one for one in self.all(f"{within} a") if one.is_displayed() and one.text == text]

        self.until(shown)
        shown()[0].click()

    def open(self, item_id: str) -> None:
        """Go to an item."""
        self.chromium.execute_async_script(
            "const [item, done] = arguments; import('/page/address.js').then(({ go }) => done(go({ item })))",
            item_id,
        )
        self.until(lambda: self.find("item-about").is_displayed())

    def is_fit(self, *schemes: str) -> None:
        """Nothing keeps anybody from using the page as it is now, in the light scheme or in those named, nor on a telephone."""
        for scheme in schemes or ("light",):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            self.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            assert not AXE or barriers(self.chromium) == []
        metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        self.chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        width = self.chromium.execute_script("return document.documentElement.scrollWidth")
        self.chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        assert width <= 360


@pytest.fixture
def as_admin(chromium: webdriver.Chrome, service: Service, keyring: Keyring) -> Callable[..., Page]:
    return lambda query="": Page(chromium, service, keyring.secrets["admin"], query)


def item(service: Service, keyring: Keyring, item_id: str) -> httpx.Response:
    """What the service tells of an item."""
    return httpx.get(
        f"{service.url}/v1/item", params={"id": item_id}, headers=dict(keyring.headers("search"))
    )


def test_who_may_only_search_is_offered_no_more(
    chromium: webdriver.Chrome, service: Service, keyring: Keyring
) -> None:
    page = Page(chromium, service, keyring.secrets["search"], "panel=upload")
    page.until(lambda: page.panels() == ["Map", "Generations"])
    assert not page.find("upload-go").is_displayed()  # whatever the address says
    page.open("item 8")
    assert not page.all('[data-slot="item"] button')
    page.find("item-close").click()
    page.leads("Generations")
    page.until(lambda: page.find("generation-table").is_displayed())
    assert not page.find("rollback-ask").is_displayed()


def test_the_map_shows_items_the_query_and_its_answers(
    as_admin: Callable[..., Page], service: Service, keyring: Keyring
) -> None:
    page = as_admin("id=item 5&k=3&panel=map")
    page.complaints()
    page.says("3 answers, the rings: ", "#map-answer")
    assert "The query, the diamond, lies nearest to the middle of " in page.find("map-answer").text
    assert "700 items" in (page.find("map-canvas").accessible_name or "")
    assert {key.text for key in page.all("#map-legend button")} == {"cold", "warm"}
    page.all("#map-shown details summary")[0].click()
    rows = [row.text for row in page.all("#map-marks tr")]
    headers = dict(keyring.headers("search"))
    told = httpx.get(f"{service.url}/v1/map", headers=headers).json()
    places = {own["id"]: own["place"] for own in told["sample"]}
    asked = httpx.post(f"{service.url}/v1/search", json={"id": "item 5", "k": 3}, headers=headers).json()
    for name, row in zip(["item 5", *(own["id"] for own in asked["results"])], rows, strict=True):
        x, y = (float(part.strip(",")) for part in row.split()[-2:])
        assert [x, y] == pytest.approx(places[name], abs=0.0051)
    page.is_fit()
    answers = sum(int(row.text.split()[-1]) for row in page.all("#map-rows tr"))
    assert answers == 3
    painted = "const c = arguments[0]; return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
    assert page.chromium.execute_script(painted, page.find("map-canvas"))
    assert page.complaints() == []


def test_a_dot_tells_its_item_and_leads_to_it(as_admin: Callable[..., Page]) -> None:
    page = as_admin("id=item 5&k=3&panel=map")
    page.says("3 answers, the rings: ", "#map-answer")
    page.chromium.execute_async_script(
        """
        const [name, done] = arguments;
        Promise.all([import("/page/service.js"), import("/page/mapping.js")]).then(async ([{ read }, { scaleTo }]) => {
          const { sample } = await read("/v1/map");
          const canvas = document.getElementById("map-canvas");
          const at = scaleTo(sample.map(({ place }) => place), canvas.clientWidth, canvas.clientHeight, 18);
          const [across, down] = at(sample.find(({ id }) => name.endsWith(`, ${id}`)).place);
          const { x, y } = canvas.getBoundingClientRect();
          canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x + across, clientY: y + down }));
          done();
        });
        """,
        page.all("#map-marks th")[1].get_attribute("textContent"),
    )
    page.says("Answer 1, ", "#map-tip")
    item_id = page.find("map-tip").find_element(By.TAG_NAME, "a").text
    assert item_id in (page.all("#map-marks th")[1].get_attribute("textContent") or "")
    page.leads(item_id, "#map-tip")
    page.says(item_id, "#item-id")


def test_pictures_are_uploaded_each_with_its_own_result(
    as_admin: Callable[..., Page], service: Service, keyring: Keyring, tmp_path: Path
) -> None:
    files = {"one.png": PICTURES[0], "two ü.png": PICTURES[1], "bad.png": b"no picture"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page = as_admin("panel=upload")
    page.until(lambda: page.find("upload-drop").is_displayed())
    page.find("upload-files").send_keys("\n".join(str(tmp_path / name) for name in files))
    page.find("upload-prefix").send_keys("shop/")
    labels = page.all('[data-panel="upload"] .wide input')[0]
    labels.send_keys("nowhere", Keys.ENTER)
    page.says("There is no label nowhere", '[data-panel="upload"] .wide .hint')
    labels.clear()
    labels.send_keys("warm/red/crimson", Keys.ENTER)
    page.says("warm / red / crimson", '[data-panel="upload"] .chip')
    page.find("upload-tags").send_keys("new\nsummer, at sea\nnew")
    page.find("upload-go").click()
    page.says("2 of 3 uploaded, 1 not", "#upload-status")
    results = [row.find_element(By.CLASS_NAME, "result").text for row in page.all("#uploads li")]
    assert [result.split()[0] for result in results] == ["added", "added", "Image"]
    assert "cannot be decoded" in results[2]
    for name in ("one.png", "two ü.png"):
        told = item(service, keyring, f"shop/{name}").json()
        assert (told["label_path"], told["tags"]) == (["warm", "red", "crimson"], ["new", "summer, at sea"])
    assert page.find("upload-go").text == "Upload 1 picture"  # what failed may be tried again
    page.is_fit()
    page.leads("Open", "#uploads")
    page.says("shop/one.png", "#item-id")


def test_a_picture_that_is_left_out_while_others_are_uploaded_is_not_put(
    as_admin: Callable[..., Page], service: Service, keyring: Keyring, tmp_path: Path
) -> None:
    names = [f"{n}.png" for n in range(4)]
    for name, data in zip(names, PICTURES, strict=False):
        (tmp_path / name).write_bytes(data)
    page = as_admin("panel=upload")
    page.until(lambda: page.find("upload-drop").is_displayed())
    page.find("upload-files").send_keys("\n".join(str(tmp_path / name) for name in names))
    page.find("upload-prefix").send_keys("left out/")
    page.chromium.execute_script(  # while the first two are on their way
        """
        document.getElementById("upload-go").click();
        window.aways = [...document.querySelectorAll("#uploads button")];
        window.open = aways.map(({ disabled }) => !disabled);
        aways[2].click();
        """
    )
    page.says("3 of 3 uploaded", "#upload-status")
    found = [item(service, keyring, f"left out/{name}").status_code for name in names]
    assert found == [200, 200, 404, 200]
    # What is on its way cannot be left out.
    assert page.chromium.execute_script("return window.open") == [False, False, True, True]


def test_an_item_is_edited(as_admin: Callable[..., Page], service: Service, keyring: Keyring) -> None:
    page = as_admin()
    page.open("item 12")
    page.press("Edit", "#item")
    page.all('[data-slot="item"] .chip .away')[0].click()
    page.all('[data-slot="item"] .wide input')[0].send_keys("cold/blue/sky", Keys.ENTER)
    tags = page.find("item-edit-tags")
    tags.clear()
    tags.send_keys("x" * 65)
    page.press("Save", "#item")
    page.says("has 65 characters", '[data-slot="item"] .hint')
    page.is_fit()
    tags.clear()
    tags.send_keys("winter, old\nlate")
    page.press("Save", "#item")
    page.says("Saved.", '[data-slot="item"]')
    assert [tag.text for tag in page.all("#item-tags .tag")] == ["winter, old", "late"]
    told = item(service, keyring, "item 12").json()
    assert (told["label_path"], told["tags"]) == (["cold", "blue", "sky"], ["winter, old", "late"])
    # What is not changed is not sent: somebody else may have changed it meanwhile.
    page.press("Edit", "#item")
    url, key = f"{service.url}/v1/item", dict(keyring.headers("write"))
    httpx.patch(url, params={"id": "item 12"}, headers=key, json={"tags": ["theirs, too"]}).raise_for_status()
    page.all('[data-slot="item"] .chip .away')[0].click()
    page.press("Save", "#item")
    page.says("Saved.", '[data-slot="item"]')
    told = item(service, keyring, "item 12").json()
    assert (told["label_path"], told["tags"]) == ([], ["theirs, too"])


def test_an_item_is_deleted_once_that_is_confirmed(
    as_admin: Callable[..., Page], service: Service, keyring: Keyring
) -> None:
    page = as_admin("id=item 16&k=5")
    page.until(lambda: len(page.all("#results .card")) == 5)
    page.all("#results .picture")[0].click()
    page.until(lambda: page.find("item-about").is_displayed())
    gone = page.find("item-id").text
    page.press("Delete", "#item")
    page.is_fit()
    page.press("Keep it", "#item")
    assert item(service, keyring, gone).status_code == 200
    page.press("Delete", "#item")
    page.complaints()
    page.press("Delete it", "#item")
    page.until(lambda: not page.find("item").is_displayed())
    assert item(service, keyring, gone).status_code == 404
    page.until(lambda: len(page.all("#results .card")) == 5)
    page.until(lambda: gone not in {one.get_attribute("title") for one in page.all("#results .picture")})
    assert page.complaints() == []


def test_a_generation_says_where_it_comes_from(as_admin: Callable[..., Page], hashers: list[Hasher]) -> None:
    before, now = (hasher.generation.id for hasher in hashers)
    page = as_admin("panel=generations")
    page.says(now, "#generation-rows")
    codes = page.chromium.execute_script(
        "document.querySelector('#generation-rows tr').lastElementChild.textContent = 'because '.repeat(200);"
        "const { left, right } = document.querySelector('#generation-table thead').rows[0].cells[2].getBoundingClientRect();"
        "return right - left"
    )
    assert codes > 40  # a long reason leaves the other columns their words
    page.all("#generation-rows a")[0].click()
    page.says("made by hand, no run", "#lineage-chain")
    newest, first = page.all("#lineage-chain > li")
    for said in (
        "nightly-12 (retrain), begun 2025-11-24 16:00 UTC",
        "since then 1,200 added, 3 relabelled",
        "1,234,567 of 30,879,334 bytes to store and to move, 2 of 5 files",
        "s3://bucket/evaluated/report.html",
        "passes, against the champion: mAP 0.9 is not below 0.89",
    ):
        assert said in newest.text
    assert first.text.startswith(before)
    newest.find_element(By.TAG_NAME, "summary").click()
    assert '"epochs": 3' in newest.text
    page.is_fit("dark", "light")
    page.all("#lineage-chain > li:first-child dd a")[0].click()  # what it replaced
    page.until(lambda: page.find("lineage-id").text == before)
    page.until(lambda: len(page.all("#lineage-chain > li")) == 1)
    page.chromium.back()
    page.until(lambda: page.find("lineage-id").text == now)
    unknown = as_admin("panel=generations&lineage=nobody")
    unknown.says("is not known here", "#lineage-error")


def test_an_admin_goes_back_to_the_generation_before(
    as_admin: Callable[..., Page], service: Service, hashers: list[Hasher], keyring: Keyring
) -> None:
    before, now = (hasher.generation.id for hasher in hashers)
    page = as_admin("panel=generations&id=item 5")
    page.says(now, "#generation-rows")
    assert [row.text.split()[0] for row in page.all("#generation-rows tr")] == [now, before]
    page.press(f"Roll back to {before}")
    assert page.find("rollback-from").text == now
    page.is_fit("dark", "light")
    page.press("Leave it", "#rollback")
    assert not page.find("rollback").is_displayed()
    page.press(f"Roll back to {before}")
    page.find("rollback-who").send_keys("ada")
    page.find("rollback-why").send_keys("worse on fish")
    page.press("Roll back", "#rollback")
    page.says(f"{before} is published and served.", "#generation-status")
    page.says("by ada: worse on fish", "#generation-rows")
    page.until(lambda: page.find("generation").text == before)
    assert page.panels() == ["Map", "Upload", "Generations"]
