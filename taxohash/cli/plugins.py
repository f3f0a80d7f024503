"""Commands of other distributions: an entry point of the group `taxohash.commands` is a sub-command of its name, and one of
`taxohash.data` a sub-command of `taxohash data`.

It is a function of the words that follow its name, and returns the exit code.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from taxohash.errors import TaxohashError

GROUP = "taxohash.commands"
DATA_GROUP = "taxohash.data"
_PIPELINES = "taxohash-platform[serve,pipelines]"
# What somebody may look for here, and the distribution that brings it, by group.
ELSEWHERE = {
    GROUP: dict.fromkeys(("keys", "lineage", "serve", "store", "trigger"), "taxohash-platform[serve]")
    | {"pipeline": _PIPELINES},
    DATA_GROUP: {"capture": _PIPELINES},
}


class Commands(TyperGroup):
    """The commands of the library, and those that other distributions bring."""

    entries = GROUP

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(entry_points(group=self.entries).names)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _brought(self.entries, cmd_name)


class DataCommands(Commands):
    """The same of `taxohash data`."""

    entries = DATA_GROUP


class Brought(TyperCommand):
    """A command of another distribution, or the word on where it comes from."""

    def __init__(self, name: str, entry: EntryPoint | None, elsewhere: str) -> None:
        help_ = f"From {entry.dist.name}; see its --help." if entry and entry.dist else ""
        # All words that follow are the command's own, --help among them.
        settings = {"allow_extra_args": True, "ignore_unknown_options": True}
        super().__init__(name, help=help_, context_settings=settings, add_help_option=False)
        self._entry = entry
        self._elsewhere = elsewhere

    def invoke(self, ctx: Any) -> Any:
        if self._entry is None:
            raise TaxohashError(f"command {self.name} is not installed: pip install '{self._elsewhere}'")
        raise typer.Exit(self._entry.load()(ctx.args))


def _brought(group: str, name: str) -> Brought | None:
    entry = next(iter(entry_points(group=group, name=name)), None)
    elsewhere = ELSEWHERE[group].get(name, "")
    return Brought(name, entry, elsewhere) if entry or elsewhere else None
