"""`taxohash pipeline schedule`, against a trigger."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.cli import schedule
from pipelines.cli.main import main
from services.retrieval.settings import Door
from services.trigger.app import application
from taxohash.errors import TaxohashError
from tests.support.own_server import running
from tests.support.toy_trigger import ToyTrigger

TOKEN = "a-token-of-32-characters-or-more"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "token").write_text(TOKEN + "\nanother-token-of-many-characters\n")
    monkeypatch.setenv("TAXOHASH_TRIGGER_TOKEN_FILE", str(tmp_path / "token"))
    toy = ToyTrigger(tmp_path, token_file=tmp_path / "token")
    with running(application(toy.service), Door()) as server:
        yield f"http://127.0.0.1:{server.address[1]}/"


def test_the_timer_is_set_shown_and_dropped(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        assert main(["schedule", "--url", url, *words]) == 0
        return capsys.readouterr().out

    assert said() == "no timer is set\n"
    assert said("--every", "7d").startswith("retrain every 604800: next at ")
    assert said("--cron", "0 3 * * *").startswith("retrain 0 3 * * *: next at ")
    assert "03:00 UTC" in said()
    assert said("drift", "--every", "24h").startswith("drift every 86400: next at ")
    assert said("--off") == said() == "no timer is set\n"


@pytest.mark.parametrize("answer", [[], {}, "page", {"schedule": 1}, {"schedule": {"due": 1}}, None])
def test_another_server_that_answers_is_no_trigger(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "request", lambda *words, **given: httpx.Response(200, json=answer))
    with pytest.raises(TaxohashError, match="does not answer as one does"):
        schedule.run(
            argparse.Namespace(pipeline=None, every=None, cron=None, off=False, url="http://elsewhere")
        )


def test_what_the_trigger_refuses_is_one_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refusal(*words: str) -> str:
        assert main(["schedule", *words]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err

    assert "too fast" in refusal("--url", url, "--every", "1s")
    assert "a time such as" in refusal("--url", url, "--every", "soon")
    assert "does not answer" in refusal("--url", "http://127.0.0.1:1")
    assert "does not answer" in refusal("--url", "nonsense")
    assert "give either every" in refusal("--url", url, "--every", "")
    assert "give either every" in refusal("--url", url, "--cron", "")
    assert "when to ask for drift is not said: give --every or --cron" in refusal("drift", "--url", url)
    (tmp_path / "token").write_text("")
    assert "TOKEN" not in refusal("--url", url)
    monkeypatch.delenv("TAXOHASH_TRIGGER_TOKEN_FILE")
    assert "refused: " in refusal("--url", url)
