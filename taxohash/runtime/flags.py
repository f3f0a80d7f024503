"""Flags of a command line, made of a configuration's fields.

A field has the flag of its own name, a part's `name` that of the part, and an object, such as `options`, takes
`--option NAME=VALUE`, repeated: those of {"network": {"name": ..., "size": ...}} are --network and --size.
Besides, --config names a JSON file with any of the fields, and --set sets any one by its path.
"""

import argparse
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import flat, plain, read, replaced
from taxohash.runtime.terminal import printable

T = TypeVar("T")


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: as in Python; dashes stand for its underscores on the command line.
        help: what it sets.
        metavar: what follows it.
        path: dotted, of the field it sets; empty for those that set any.
        repeated: whether it may be given several times.
    """

    name: str
    help: str
    metavar: str = "VALUE"
    path: str = ""
    repeated: bool = False

    @property
    def written(self) -> str:
        return "--" + self.name.replace("_", "-")


FILE = Flag("config", "JSON file with any of these fields; flags win over it", "FILE")
SET = Flag(
    "set", "any field by its path, such as training.lr=0.05; wins over flags", "PATH=VALUE", repeated=True
)


class Parser(argparse.ArgumentParser):
    """A command line of which what is wrong is one line on standard error, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message)}: see {self.prog} --help\n")


def flags(kind: type[Any]) -> list[Flag]:
    """The flags of a configuration whose fields all have defaults."""
    return [FILE, *(_flag(kind(), path, default) for path, default in flat(plain(kind())).items()), SET]


def add_flags(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Let a parser take the flags of a configuration."""
    for flag in flags(kind):
        action, text = "append" if flag.repeated else "store", flag.help.replace("%", "%%")
        parser.add_argument(flag.written, action=action, metavar=flag.metavar, help=text)


def chosen(kind: type[T], given: Mapping[str, Any]) -> T:
    """The configuration that a command line asks for: the file's, changed by flags, changed by --set.

    Args:
        given: the text of each flag by its name, of repeated ones a list; None or nothing where it is not given.

    Raises:
        TaxohashError: a file that cannot be read, a NAME=VALUE without `=`, or as `configuration`.
    """
    file, settings = given.get(FILE.name), dict[str, Any]()
    for flag in flags(kind):
        value = given.get(flag.name)
        if flag.repeated:
            above = f"{flag.path}." if flag.path else ""
            settings |= {above + name: found for name, found in assignments(flag, value or ()).items()}
        elif flag.path and value is not None:
            settings[flag.path] = meaning(value)
    config = read(kind, read_json(Path(file), "give a file with a configuration")) if file else kind()
    return replaced(config, settings)


def named(config: T, fields: Mapping[str, Any]) -> T:
    """The configuration with other values of fields that are called as their flags, such as `lr` and `objective`.

    Raises:
        TaxohashError: no flag has that name, or as `configuration`.
    """
    paths = {flag.name: flag.path for flag in flags(type(config)) if flag.path and not flag.repeated}
    paths |= {flag.name + "s": flag.path for flag in flags(type(config)) if flag.path and flag.repeated}
    if unknown := next((name for name in fields if name not in paths), None):
        raise TaxohashError(f"field {unknown!r} is not known: use one of {', '.join(paths)}")
    return replaced(config, {paths[name]: value for name, value in fields.items()})


def assignments(flag: Flag, pairs: Iterable[str]) -> dict[str, Any]:
    """The meaning of a repeated flag's NAME=VALUE pairs, by name.

    Raises:
        TaxohashError: a pair without a name or `=`.
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise TaxohashError(f"{flag.written} {pair!r}: write it as {flag.metavar}")
        found[name] = meaning(text)
    return found


def meaning(text: str) -> Any:
    """What a text on the command line stands for: JSON if it is JSON, else a number such as .5, else itself."""
    for reading in (json.loads, float):
        try:
            return reading(text)
        except (ValueError, RecursionError):
            continue
    return text


def explanations(kind: type[Any]) -> dict[str, str]:
    """What a class's docstring says of each of its `Attributes:`, on one line each."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")
    parts = re.split(r"^ {4}(\w+(?:, \w+)*): ", listed, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.split()).rstrip(".")
        for names, text in zip(parts[::2], parts[1::2], strict=True)
        for name in names.split(", ")
    }


def _flag(standard: Any, path: str, default: Any) -> Flag:
    """The flag of one field of a configuration that has its defaults."""
    *above, name = path.split(".")
    text = explanations(type(reduce(getattr, above, standard))).get(name, name)
    if isinstance(default, dict):
        return Flag(name.removesuffix("s"), text, "NAME=VALUE", path, repeated=True)
    if default is not None:
        text += f" (default {default})"
    return Flag(above[-1] if name == "name" else name, text, path=path)
