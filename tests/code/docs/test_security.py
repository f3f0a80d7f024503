"""The threat model leaves nobody out: whoever the code knows is in it, with a test that tries them or the words that none does."""

import re
from typing import get_args

from services.codestore.accounts import ACCOUNTS, PROBE
from services.retrieval.access.roles import ROLES
from services.trigger.endpoint import Endpoint
from tests.code.docs.test_commands import ROOT
from tests.support.manifests import of_kind, render

PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_account_and_every_role_has_a_row() -> None:
    first = {cell for row in rows(PAGE) for cell in re.findall(r"`([^`]+)`", row[0])}
    assert {*ROLES, *(account.name for account in ACCOUNTS), PROBE} <= first
    assert get_args(Endpoint.__annotations__["access"]) == ("public", "token", "signed")
    assert all(f"| {who}" in PAGE for who in ("anybody who reaches the trigger", "the trigger's token"))
    assert all(f"| {who}" in PAGE for who in ("the secret of the git webhook", "a link to approve"))


def test_every_label_that_lets_a_pod_through_has_a_row() -> None:
    policies = of_kind(render("dev"), "NetworkPolicy").values()
    labels = set(re.findall(r"taxohash/[a-z]+", str(list(policies))))
    assert labels == set(re.findall(r"(taxohash/[a-z]+): client", PAGE))


def test_every_row_is_tried_or_says_that_it_is_not() -> None:
    tried = [row for row in rows(PAGE) if len(row) == 4]
    assert len(tried) > 10
    for row in tried:
        assert "](../tests/" in row[-1] or row[-1] == "not tried", row[0]


def rows(page: str) -> list[list[str]]:
    """The cells of the tables' rows, without their heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| who |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
