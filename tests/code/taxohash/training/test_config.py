"""What decides a hasher: any value for any field, and what can be checked before there are data."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import canonical, configuration, flat, parse, plain, read, replaced
from taxohash.training.config import HasherConfig, ObjectiveConfig, TrainingConfig
from tests.support.configurations import JSON, changed_values, outcome

PATHS = [*flat(plain(HasherConfig())), "objective", "network", "training", "other"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"epochs": 2.5}, "epochs = 2.5: give a whole number of at least 1"),
        ({"epochs": "3"}, 'epochs = "3": give a whole number of at least 1'),
        ({"epochs": 0}, "epochs = 0: give a whole number of at least 1"),
        ({"batch": 0}, "batch = 0: give a whole number from 1 to 1000000"),
        ({"lr": 0}, "lr = 0: give a number above 0"),
        ({"clip": float("nan")}, "clip = NaN: give a number above 0"),
        ({"seed": 1.5}, "seed = 1.5: give a whole number from 0 to"),
        ({"seed": True}, "seed = true: give a whole number from 0 to"),
        ({"weight_decay": -1}, "weight_decay = -1: give a number of at least 0"),
        ({"warmup": 2}, "warmup = 2: give a number from 0 to 1"),
        ({"precision": "int8"}, 'precision = "int8": give one of auto, float32, bfloat16'),
        ({"augment": "mixup"}, 'augment = "mixup": give one of none, crop, crop-flip'),
        ({"optimiser": None}, "optimiser = null: give one of adam, sgd"),
    ],
)
def test_training_says_what_it_takes(value: dict[str, Any], said: str) -> None:
    for make in (TrainingConfig, lambda **given: read(HasherConfig, {"training": given})):
        with pytest.raises(TaxohashError, match=said):
            make(**value)


@pytest.mark.parametrize("bits", [15, 257, 48.0, "48"])
def test_codes_have_16_to_256_bits(bits: Any) -> None:
    with pytest.raises(TaxohashError, match=r"bits = .*: give a whole number from 16 to 256"):
        HasherConfig(bits=bits)


@given(path=st.sampled_from(PATHS), value=JSON)
@example("training.epochs", 2.5)
@example("training.seed", 1.5)
@example("training.weight_decay", -1)
@example("training.epochs", "3")
@example("training", {"lr": [{"x": None}]})
@example("objective.options", {"x": float("inf")})
def test_any_json_for_any_field_is_valid_or_one_line(path: str, value: object) -> None:
    made, line = outcome(lambda: replaced(HasherConfig(), {path: value}))
    assert (made is None) == bool(line)
    if made is not None:
        again = parse(HasherConfig, canonical(made))
        assert (again, hash(again)) == (made, hash(made))


def test_completing_writes_every_option_out() -> None:
    standard = HasherConfig(objective=ObjectiveConfig(name="shpdh")).completed()
    assert standard.objective.options == {
        "inverse_variances": [],
        "level_weights": [],
        "cubic": 10.0,
        "vertex": 0.1,
        "margin": 1.1,
    }
    assert standard.completed() == standard
    written = HasherConfig(
        objective=ObjectiveConfig(name="shpdh", options={"margin": 1.1, "cubic": 10, "level_weights": ()})
    )
    assert canonical(written.completed()) == canonical(standard)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("objective.name", "magic", "objective 'magic' is not known: use one of csq"),
        ("objective.name", "lsh", "objective 'lsh' trains no network with binary codes: use one of csq"),
        ("objective.name", "dqn", "trains no network with binary codes"),
        ("objective.options.magic", 1, "objective 'treecode': magic is not known"),
        ("network.name", "huge", "network 'huge' is not known: use one of small-resnet"),
        ("network.size", 400, "network 'auto' takes images of 16 to 320 px, not 400"),
    ],
)
def test_what_cannot_be_trained_is_found_without_data(path: str, value: object, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        replaced(HasherConfig(), {path: value}).completed()


def test_a_new_field_changes_nothing_else() -> None:
    """A field added to a part appears in the tree, and what was written without it is read with its default."""

    @configuration
    class LongerTraining(TrainingConfig):
        added: int = 3

    @configuration
    class LongerHasher(HasherConfig):
        training: LongerTraining = LongerTraining()

    assert set(flat(plain(LongerHasher()))) - set(flat(plain(HasherConfig()))) == {"training.added"}
    assert parse(LongerHasher, canonical(HasherConfig())) == LongerHasher()


def test_values_of_the_tests_are_other_than_the_defaults() -> None:
    standard = flat(plain(HasherConfig()))
    assert all(value != standard[path] for path, value in changed_values().items())


def test_it_is_known_without_torch() -> None:
    program = (
        "import sys, taxohash.training.config as c, taxohash.runtime.flags as f; "
        "f.chosen(c.HasherConfig, {'epochs': '3'}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("images", "passes"),
    [(0, 100), (6, 100), (1_000, 100), (3_000, 34), (14_285, 8), (60_000, 7), (10**7, 7)],
)
def test_a_small_set_is_passed_more_often_unless_one_says_how_often(images: int, passes: int) -> None:
    assert TrainingConfig().passes(images) == passes
    assert TrainingConfig(epochs=3).passes(images) == 3


def test_what_auto_cannot_be_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, name in [(True, "auto"), (False, "small-resnet")]:
        monkeypatch.setattr("taxohash.networks.automatic.installed", lambda there=there: there)
        assert HasherConfig().completed().network.name == name
    for path, value in [
        ("network.freeze", False),
        ("network.size", 32),
        ("network.channels", 1),
        ("training.augment", "crop"),
    ]:
        monkeypatch.setattr("taxohash.networks.automatic.installed", lambda: True)
        assert replaced(HasherConfig(), {path: value}).completed().network.name == "small-resnet"
    frozen = replaced(HasherConfig(), {"network.freeze": True})
    assert (
        frozen.completed().network.name == "auto"
    )  # which is refused for what it lacks, and not taken for another
