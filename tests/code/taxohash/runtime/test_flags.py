"""Flags made of a configuration's fields."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import canonical, flat, plain, read, replaced
from taxohash.runtime.flags import SET, add_flags, assignments, chosen, explanations, flags, meaning
from taxohash.training.config import HasherConfig, TrainingConfig
from tests.support.configurations import changed_values, nested

CHANGED = changed_values()


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parsed(*arguments: str) -> HasherConfig:
    parser = argparse.ArgumentParser()
    add_flags(parser, HasherConfig)
    return chosen(HasherConfig, vars(parser.parse_args(arguments)))


def test_every_field_has_a_flag_of_its_own() -> None:
    found = flags(HasherConfig)
    assert [flag.path for flag in found if flag.path] == list(flat(plain(HasherConfig())))
    assert len({flag.name for flag in found}) == len(found)
    assert all(flag.help for flag in found)
    documented = {
        "objective",
        "option",
        "bits",
        "network",
        "size",
        "epochs",
        "batch",
        "optimiser",
        "lr",
        "seed",
    }
    assert documented | {"augment", "precision", "config", "set"} <= {flag.name for flag in found}


def test_every_field_can_be_set_by_flag_by_path_and_by_file(tmp_path: Path) -> None:
    by_flag = []
    for flag in flags(HasherConfig):
        value = CHANGED.get(flag.path)
        if isinstance(value, dict):
            by_flag += [
                part for item in value.items() for part in (flag.written, "=".join(map(as_text, item)))
            ]
        elif value is not None:
            by_flag += [flag.written, as_text(value)]
    by_path = [part for item in CHANGED.items() for part in ("--set", "=".join(map(as_text, item)))]
    file = tmp_path / "config.json"
    file.write_text(json.dumps(nested(CHANGED)))
    wanted = read(HasherConfig, nested(CHANGED))
    assert parsed(*by_flag) == parsed(*by_path) == parsed("--config", str(file)) == wanted
    changed, standard = plain(wanted), plain(HasherConfig())
    assert all(
        nested(flat(changed)) == changed and flat(changed).get(path) != value
        for path, value in flat(standard).items()
    )


def test_what_is_more_particular_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"bits": 16, "training": {"lr": 0.5, "epochs": 2, "batch": 7}}')
    found = parsed("--config", str(file), "--lr", "0.25", "--epochs", "3", "--set", "training.lr=.125")
    assert found == replaced(
        HasherConfig(), {"bits": 16, "training.lr": 0.125, "training.epochs": 3, "training.batch": 7}
    )
    assert parsed() == HasherConfig()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--epochs", "2.5"], "training.epochs = 2.5: give a whole number of at least 1"),
        (["--epochs", "three"], 'training.epochs = "three": give a whole number'),
        (["--lr", "nan"], "training.lr = NaN: give a number above 0"),
        (["--augment", "mixup"], 'training.augment = "mixup": give one of none, crop, crop-flip'),
        (["--set", "training.warmth=1"], "training.warmth is not known: use one of "),
        (["--set", "training"], "--set 'training': write it as PATH=VALUE"),
        (["--option", "=1"], "--option '=1': write it as NAME=VALUE"),
        (["--config", "{tmp}/none.json"], "none.json cannot be read"),
        (["--config", "{tmp}/list.json"], r"\[\] is no configuration"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(TaxohashError, match=said):
        parsed(*(text.format(tmp=tmp_path) for text in arguments))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (".5", 0.5),
        ("3", 3),
        ("[0.1, 0.2]", [0.1, 0.2]),
        ("null", None),
        ("none", "none"),
        ("a=b", "a=b"),
        ('"3"', "3"),
    ],
)
def test_texts_are_read_as_json_where_they_are_json(text: str, value: Any) -> None:
    assert meaning(text) == value
    assert assignments(SET, [f"name={text}"]) == {"name": value}


def test_help_is_what_the_docstring_says() -> None:
    told = explanations(TrainingConfig)
    assert list(told) == list(plain(TrainingConfig()))
    assert told["lr"].startswith("the highest learning rate; it rises over")
    assert told["lr"].endswith("falls linearly to zero")


def test_a_chosen_configuration_is_canonical() -> None:
    assert canonical(parsed("--lr", "1", "--seed", "0")) == canonical(parsed("--set", "training.lr=1.0"))
