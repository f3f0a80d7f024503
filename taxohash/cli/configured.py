"""A command that takes a hasher's configuration by flags."""

import inspect
from functools import cached_property
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class ConfiguredCommand(TyperCommand):
    """Has a flag for each field of HasherConfig and leaves the texts given in `ctx.obj`, for `flags.chosen`.

    The flags are made when the command is called, so that no other command loads what they are made of.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *self._options]

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = {option.name: ctx.params.pop(option.name) for option in self._options}
        return super().invoke(ctx)

    @cached_property
    def _options(self) -> list[Any]:
        from taxohash.runtime.flags import Flag, flags
        from taxohash.training.config import HasherConfig

        def parameter(flag: Flag) -> inspect.Parameter:
            text = typer.Option(
                flag.written, metavar=flag.metavar, help=flag.help, rich_help_panel="Configuration"
            )
            kind: Any = list[str] if flag.repeated else str
            return inspect.Parameter(
                flag.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, text],
            )

        def command(**given: Any) -> None: ...

        made: Any = command
        made.__signature__ = inspect.Signature([parameter(flag) for flag in flags(HasherConfig)])
        app = typer.Typer(add_completion=False)
        app.command()(made)
        return typer.main.get_command(app).params
