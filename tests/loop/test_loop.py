"""The loop closes in its short form; what looks for failed and mixed answers, and for alerts that should not fire, finds them."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import yaml
from PIL import Image

from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.loop import catalogue, quick
from tests.loop.alerts import ALERT, Pace, hastened_routes, hastened_rules
from tests.loop.answers import each_second, faults
from tests.loop.load import K, Sample
from tests.loop.picture import draw
from tests.loop.record import episodes, served, unexpected
from tests.loop.runners import QUICK
from tests.loop.story import tell
from tests.loop.timeline import Timeline
from tests.support.monitoring import needs_prometheus
from tests.support.weighing import shares


@needs_prometheus
@pytest.mark.system
def test_the_loop_closes(tmp_path: Path) -> None:
    told = json.loads(json.dumps(tell(tmp_path, QUICK, Timeline())))
    assert [run["verdict"] for run in told["history"] if run["pipeline"] == "retrain"] == [
        *("published", "published", "refused")
    ]
    draw(told, tmp_path / "loop.png")
    with Image.open(tmp_path / "loop.png") as picture:
        assert picture.width == 1400


@needs_prometheus
@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("event", ["trigger run", "known is asked", "with both is pushed"])
def test_a_loop_that_is_interrupted_leaves_nothing(tmp_path: Path, event: str) -> None:
    command = [sys.executable, "-m", "tests.loop", "--quick"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as loop:
        assert loop.stderr
        assert any(event in line for line in loop.stderr), "it ended before"
        children = psutil.Process(loop.pid).children(recursive=True)
        os.killpg(loop.pid, signal.SIGINT)  # as a terminal does
        said = loop.stderr.read()
        assert loop.wait(timeout=120) == 130, said
    gone, left = psutil.wait_procs(children, timeout=60)
    assert gone
    assert not left
    assert not list(tmp_path.glob("loop-*"))


QUERY = catalogue.asked(catalogue.LIGHT, 1, 1)[0]  # of which one generation knows nothing


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    """Two generations, below their ids."""
    folder = tmp_path_factory.mktemp("generations")
    made = []
    for number, stock in enumerate((catalogue.FIRST, catalogue.SECOND)):
        dataset = Dataset.open(catalogue.write(folder / f"data{number}", stock))
        generation, _ = quick.generation_of(dataset, folder / "draft")
        made.append(Hasher((folder / "draft").rename(folder / generation.id)))
    return made


def answered(hasher: Hasher) -> Sample:
    """What a generation answers, worked out by comparing every bit."""
    query = hasher.encode_queries([decode(QUERY.picture)])
    bits = hasher.generation.bits
    distances = (unpack(hasher.codes, bits) != unpack(query.codes, bits)).sum(axis=1)
    (own,) = shares(query, hasher.codes)
    nearest = np.argsort(own, kind="stable")[:K]
    body = {
        "generation": hasher.generation.id,
        "code": query.codes.tobytes().hex(),
        "results": [
            {"id": hasher.ids[row], "distance": int(distances[row]), "weighted_distance": round(own[row], 6)}
            for row in nearest
        ],
    }
    return Sample(QUERY, "200", json.dumps(body).encode(), seconds=0.01)


def test_whole_answers_are_none(hashers: list[Hasher]) -> None:
    found = faults([answered(hasher) for hasher in hashers], hashers[0].folder.parent)
    assert (found["searches"], found["failed"], found["mixed"]) == (2, {}, 0)
    assert found["generations"] == [hasher.generation.id for hasher in hashers]


@pytest.mark.parametrize(
    "part", ["generation", "code", "results", "distance", "weighted_distance", "missing"]
)
def test_mixed_answers_are_found(hashers: list[Hasher], part: str) -> None:
    sample, other = (json.loads(answered(hasher).body) for hasher in hashers)
    if part in ("distance", "weighted_distance"):
        sample["results"][0][part] += 1
    elif part == "missing":  # not one of the nearest
        del sample["results"][0]
    else:
        sample[part] = other[part]
    mixed = replace(answered(hashers[0]), body=json.dumps(sample).encode())
    assert faults([answered(hashers[0]), mixed], hashers[0].folder.parent)["mixed"] == 1


def test_failed_searches_are_counted_by_what_happened(tmp_path: Path) -> None:
    samples = [Sample(QUERY, outcome, b"") for outcome in ("503", "late", "503")]
    assert faults(samples, tmp_path)["failed"] == {"503": 2, "late": 1}


def test_what_does_not_happen_ends_the_story() -> None:
    with pytest.raises(AssertionError, match="did not happen in 0 s: rain"):
        Timeline().until(lambda: False, "rain", 0.0)


def test_searches_are_counted_by_second_and_kind() -> None:
    dark = catalogue.asked(catalogue.DARK, 1, 1)[0]
    samples = [
        Sample(QUERY, "200", b"{}", 10.2, 0.004),
        Sample(dark, "503", b"", 10.9, 0.006),
        Sample(dark, "200", b"{}", 12.0, 1.5),
    ]
    assert each_second(samples, 10.0) == {
        "kinds": {"light things": [1, 0, 0], "dark things": [1, 0, 1]},
        "failed": [1, 0, 0],
        "median": [5.0, None, 1500.0],
        "slowest": [6.0, None, 1500.0],
    }


def test_a_generation_is_served_from_its_first_answer_on() -> None:
    samples = [
        Sample(QUERY, "200", json.dumps({"generation": generation}).encode(), due, seconds)
        for generation, due, seconds in (("a", 1.0, 0.1), ("b", 2.0, 0.1), ("a", 1.9, 0.5), ("b", 3.0, 0.1))
    ]
    assert served([*samples, Sample(QUERY, "late", b"")], 0.0) == {"a": 1.1, "b": 2.1}


def test_what_is_seen_at_each_look_is_one_episode() -> None:
    assert episodes([7.0, 1.0, 2.0, 3.1, 8.0], 1.0) == [(1.0, 3.1), (7.0, 8.0)]


@pytest.mark.parametrize(
    ("name", "state", "begin", "is_expected"),
    [
        ("Drift", "firing", 12.0, True),
        ("Drift", "firing", 9.0, False),
        ("Drift", "firing", 19.5, False),
        ("Drift", "pending", 9.0, True),
        ("Other", "firing", 12.0, False),
        ("Other", "pending", 12.0, True),
    ],
)
def test_alerts_that_should_not_fire_are_found(
    name: str, state: str, begin: float, is_expected: bool
) -> None:
    alert = {"name": name, "state": state, "begin": begin, "end": begin + 1.0}
    assert unexpected([alert], {"Drift": [(10.0, 20.0)]}) == ([] if is_expected else [alert])


PACE = Pace(60.0, 1.0, {ALERT: 3.0})


@pytest.mark.parametrize(
    ("shipped", "lasts"), [("5m", "5000ms"), ("1h30m", "90000ms"), ("30s", "500ms"), ("3d", "4320000ms")]
)
def test_times_are_shortened(shipped: str, lasts: str) -> None:
    assert PACE.hastened(shipped) == lasts


def test_of_all_shipped_rules_only_times_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped: dict[str, Any] = {
        "groups": [
            {
                "name": "g",
                "interval": "1m",
                "rules": [
                    {"record": "a:b:rate5m", "expr": "rate(a_total[5m]) > a:b:rate5m offset 1h"},
                    {"alert": "A", "expr": 'max_over_time(x{y=~"[5m]"}[1h:1m]) > 5', "for": "15m"},
                    {"alert": ALERT, "expr": "rate(a[1m]) > 0.5", "for": "15m", "labels": {"b": "5m"}},
                ],
            }
        ]
    }
    for kind in ("rules", "alerts"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "own.yaml").write_text(yaml.safe_dump(shipped))
    monkeypatch.setattr("tests.loop.alerts.MONITORING", tmp_path)
    pattern = hastened_rules(tmp_path / "out", PACE)
    files = [*pattern.parent.glob(pattern.name)]
    assert len(files) == 2
    for file in files:
        (group,) = yaml.safe_load(file.read_text())["groups"]
        assert group["interval"] == "1000ms"
        recorded, alert, own = group["rules"]
        assert recorded == {
            "record": "a:b:rate5m",
            "expr": "rate(a_total[5000ms]) > a:b:rate5m offset 60000ms",
        }
        assert alert["for"] == "15000ms"
        assert alert["expr"] == 'max_over_time(x{y=~"[5m]"}[60000ms:4000ms]) > 5'
        assert own == {
            "alert": ALERT,
            "expr": "rate(a[4000ms]) > 0.5",
            "for": "3000ms",
            "labels": {"b": "5m"},
        }


def test_alertmanager_tells_the_trigger_and_people_of_the_loop(tmp_path: Path) -> None:
    routes = hastened_routes("http://t:1", tmp_path / "token", "http://p:2/", PACE)
    (hook,) = (hook for receiver in routes["receivers"] for hook in receiver.get("webhook_configs", ()))
    assert hook["url"] == "http://t:1/v1/alerts"
    assert hook["http_config"]["authorization"]["credentials_file"] == str(tmp_path / "token")
    text = yaml.safe_dump(routes)
    assert "/etc/" not in text
    assert "group_interval: 5000ms" in text
