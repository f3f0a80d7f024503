import pytest

from taxohash.release.gate import FLOORS, TOLERANCE, judge

GOOD = {"mAP": 0.87, "mAHP": 0.94, "nDCG": 0.93}


def test_without_a_champion_floors_apply() -> None:
    assert judge(GOOD, None).passed
    verdict = judge({**GOOD, "mAHP": FLOORS["mAHP"] - 0.01}, None)
    assert not verdict.passed
    assert "mAHP 0.5900 against 0.6000" in verdict.reason


@pytest.mark.parametrize("metric", list(GOOD))
def test_worse_in_any_metric_is_refused(metric: str) -> None:
    worse = {**GOOD, metric: GOOD[metric] - 2 * TOLERANCE}
    verdict = judge(worse, GOOD)
    assert not verdict.passed
    assert metric in verdict.reason
    assert judge(GOOD, worse).passed


def test_equal_and_within_noise_pass() -> None:
    assert judge(GOOD, GOOD).passed
    assert judge({name: value - TOLERANCE / 2 for name, value in GOOD.items()}, GOOD).passed


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_no_measurement_is_refused(value: float) -> None:
    assert not judge({**GOOD, "mAP": value}, GOOD).passed
    assert not judge({name: v for name, v in GOOD.items() if name != "mAP"}, GOOD).passed
