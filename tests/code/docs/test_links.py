"""Links of the pages: each leads to a file of the repository and to a heading in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.code.docs.test_commands import PAGES, ROOT


def links(text: str) -> Iterator[str]:
    """Where the links of a page lead within the repository."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in addresses."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(page: Path, text: str) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for target in links(text):
        file, _, heading = target.partition("#")
        path = page.parent / file if file else page
        known = anchors(text if not file else path.read_text()) if heading and path.is_file() else {heading}
        if not path.exists() or heading not in known:
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert missing(ROOT / page, (ROOT / page).read_text()) == []


@pytest.mark.parametrize("target", ["nowhere.md", "README.md#nowhere", "#nowhere", "tests/test_nowhere.py"])
def test_one_that_leads_nowhere_is_found(target: str) -> None:
    assert missing(ROOT / "README.md", f"# Here\n\n[a link]({target}) and [another](#here)") == [target]
