"""What is exported is catalogued: settings, routes, problems and metrics, and the page of them."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from services import metrics, reference, settings
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.settings import Door, Limits
from services.settings import GONE, SECTIONS, Setting
from services.trigger.endpoint import Endpoint as TriggerEndpoint
from services.trigger.routes import ENDPOINTS as TRIGGER_ENDPOINTS
from services.web.problems import TITLES

ROOT = Path(__file__).parents[3]
PLACES = (
    *("taxohash", "services", "pipelines", "benchmarks", "distributions", "manifests", "scripts", "docs", "tests"),
    *(".ci", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)  # fmt: skip
# How long and how much the tests try.
OF_TESTS = {"TAXOHASH_ATTACK_SEED", "TAXOHASH_DAMAGES", "TAXOHASH_FUZZ_SECONDS", "TAXOHASH_THREAD"}
CATALOGUED = {own.name for section in SECTIONS.values() for own in section}
LITERAL = re.compile(r"TAXOHASH_[A-Z0-9_]*[A-Z0-9]\b")


def texts(*places: str) -> Iterator[tuple[str, str]]:
    """Every file that is text, by its path."""
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                try:
                    yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue


def test_the_page_is_what_the_code_says() -> None:
    assert reference.PAGE.read_text() == reference.page(), "renew it: make docs"


def test_everything_exported_is_on_the_page() -> None:
    page = reference.page()
    endpoints: list[Endpoint | TriggerEndpoint] = [*ENDPOINTS, *TRIGGER_ENDPOINTS]
    for endpoint in endpoints:
        assert f"| `{endpoint.method} {reference.path_of(endpoint)}` | {endpoint.access} | " in page
        assert endpoint.answer.__doc__
    names = [*CATALOGUED, *GONE, *TITLES]
    names += metrics.CATALOGUE
    assert len(names) > 60
    for name in names:
        assert f"`{name}" in page


def test_every_variable_that_is_named_anywhere_is_catalogued() -> None:
    unknown = {
        (file, name)
        for file, text in texts(*PLACES)
        for name in LITERAL.findall(text)
        if name not in CATALOGUED | GONE.keys() | OF_TESTS
    }
    assert not unknown
    for file, text in texts(*PLACES):
        if OF_TESTS & set(LITERAL.findall(text)):
            assert file.startswith(("tests/", "CHANGELOG", "CONTRIBUTING"))


def test_a_variable_that_is_not_catalogued_is_found() -> None:
    invented = "TAXOHASH_" + "INVENTED"
    assert LITERAL.findall(f'os.environ["{invented}"], TAXOHASH_*, "TAXOHASH_"') == [invented]
    assert invented not in CATALOGUED


@pytest.mark.parametrize(
    "constant", sorted(name for name, value in vars(settings).items() if isinstance(value, Setting))
)
def test_every_setting_is_in_a_section_and_read_somewhere(constant: str) -> None:
    setting: Setting[object] = getattr(settings, constant)
    assert setting.name in (f"TAXOHASH_{constant}", constant)  # ours, and Kubeflow's
    assert setting.name in CATALOGUED
    used = re.compile(rf"\bsettings\.{constant}\b|\bimport .*\b{constant}\b|\"{setting.name}\"")
    sources = {
        file: text for file, text in texts("services", "pipelines", "taxohash") if file.endswith(".py")
    }
    del sources["services/settings.py"]
    assert any(used.search(text) for text in sources.values()), f"{setting.name} is read nowhere"


def test_metrics_are_made_in_the_catalogue_alone() -> None:
    makers = {
        file
        for file, text in texts("services", "pipelines", "taxohash", "benchmarks")
        if "prometheus_client" in text and file.endswith(".py")
    }
    assert makers == {"services/metrics.py"}


def test_no_setting_is_told_twice() -> None:
    told = [own.name for section in SECTIONS.values() for own in section]
    assert len(told) == len(set(told))
    assert not CATALOGUED & GONE.keys()


def test_security_states_every_limit_as_it_is() -> None:
    rows = re.findall(
        r"^\| [^|]+ \| `(TAXOHASH_\w+)` \| ([^|]+) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE
    )
    told = dict(rows)
    limits = [own.metadata["setting"] for own in (*fields(Limits), *fields(Door))]
    assert told.keys() == {own.name for own in limits} - {settings.DRAIN_SECONDS.name}
    for own in limits:
        if own.name in told:
            shown = reference.default_of(own)
            assert told[own.name] in (shown, shown.partition("(")[2].rstrip(")"))
