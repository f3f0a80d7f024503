"""Objectives by name, built and configured."""

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from taxohash.errors import TaxohashError
from taxohash.objectives.base import AnyObjective, Objective, Setting

ObjectiveT = TypeVar("ObjectiveT", bound=AnyObjective)

_registered: dict[str, type[AnyObjective]] = {}


def register(kind: type[ObjectiveT]) -> type[ObjectiveT]:
    """Make an objective that lies elsewhere known by its name; a decorator of its class.

    Raises:
        TaxohashError: another one has the name.
    """
    if objectives().get(kind.name, kind) is not kind:
        raise TaxohashError(f"objective {kind.name!r} is known already: give {kind.__name__} another name")
    _registered[kind.name] = kind
    return kind


def objectives() -> dict[str, type[AnyObjective]]:
    """Every objective by name: those of this package, and those registered."""
    return dict(sorted((_own() | _registered).items()))


@cache
def _own() -> dict[str, type[AnyObjective]]:
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{__package__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if (
                inspect.isclass(member)
                and member.__module__ == module.name
                and issubclass(member, Objective)
                and hasattr(member, "name")
            ):
                found[member.name] = member
    return found


def objective(name: str) -> type[AnyObjective]:
    """The objective with this name.

    Raises:
        TaxohashError: there is none.
    """
    known = objectives()
    if name not in known:
        raise TaxohashError(f"objective {name!r} is not known: use one of {', '.join(known)}")
    return known[name]


def build(name: str, setting: Setting, options: Mapping[str, Any]) -> AnyObjective:
    """An objective with some of its hyper-parameters set.

    Raises:
        TaxohashError: an option it does not have, or a value of the wrong type.
    """
    return objective(name)(setting, configured(name, options))


def configured(name: str, options: Mapping[str, Any]) -> Any:
    """An objective's configuration, its defaults but for the options given.

    Raises:
        TaxohashError: as `build`.
    """
    kind = objective(name)
    types_ = typing.get_type_hints(kind.config_type)
    for option, value in options.items():
        if option not in types_:
            raise TaxohashError(
                f"objective {name!r} has no option {option!r}: use one of {', '.join(types_)}"
            )
        if not _fits(value, types_[option]):
            raise TaxohashError(f"objective {name!r}: option {option} = {value!r} must be {types_[option]}")
    values = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    return kind.config_type(**values)


def config_of(instance: AnyObjective) -> dict[str, Any]:
    """The complete configuration of an objective, ready for JSON."""
    return dataclasses.asdict(instance.config)


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(
            _fits(item, typing.get_args(hint)[0]) for item in value
        )
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))
