"""Pages of templates: text stays text, and a name that is missing is an error."""

import jinja2
import pytest

from taxohash.runtime.pages import rendered

PACKAGE, TEMPLATE = "taxohash.sweep", "sweep.html.j2"


def page(**values: object) -> str:
    given: dict[str, object] = {
        "title": "<b>",
        "metric": "mAP",
        "paths": [],
        "trials": [],
        "best": None,
        "picture": "",
        "told": str,
    }
    return rendered(PACKAGE, TEMPLATE, **given | values)


def test_what_is_put_in_is_text() -> None:
    assert "<h1>&lt;b&gt;</h1>" in page()


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        rendered(PACKAGE, TEMPLATE)
