"""Objectives by name, built and configured."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from taxohash.errors import TaxohashError
from taxohash.objectives.base import AnyObjective, Objective, Setting
from taxohash.runtime.configuration import plain, read

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
        TaxohashError: an option it does not have, or a value that it does not take.
    """
    return objective(name)(setting, configured(name, options))


def configured(name: str, options: Mapping[str, Any]) -> Any:
    """An objective's configuration, its defaults but for the options given.

    Raises:
        TaxohashError: as `build`.
    """
    kind = objective(name)
    try:
        return read(kind.config_type, options)
    except TaxohashError as error:
        raise TaxohashError(f"objective {name!r}: {error}") from None


def config_of(instance: AnyObjective) -> dict[str, Any]:
    """The complete configuration of an objective, ready for JSON."""
    return plain(instance.config)
