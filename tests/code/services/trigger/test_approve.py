"""Publishing what awaited approval."""

import sys

import pytest

from services.trigger import approve
from services.trigger.approve import Approver
from services.web.refused import RefusedError


def refusal(*command: str) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        Approver("birds", command).approve("gen", "Ada", "why", None)
    return refused.value


def test_a_command_that_is_not_there_is_told() -> None:
    assert refusal("/no/such/command", "run").status == 500


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approve, "_SECONDS", 0.1)
    assert refusal(sys.executable, "-S", "-c", "import time; time.sleep(600)", "run").status == 504


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise SystemExit('error: no such generation')", "error: no such generation"),
        ("raise SystemExit(1)", "it said nothing"),
    ],
)
def test_what_it_says_is_told(program: str, told: str) -> None:
    refused = refusal(sys.executable, "-S", "-c", program, "run")
    assert (refused.status, str(refused)) == (409, f"not published: {told}")
