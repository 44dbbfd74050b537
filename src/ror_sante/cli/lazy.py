"""A group whose verbs are named in a table, and imported only when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ror_sante.cli.verb import VerbGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click


class LazyGroup(VerbGroup):
    """A group that knows its verbs by name, and imports one when it is asked for.

    Args:
        *args: as any group's.
        verbs: by name, where the verb lives (``module:name``) and what the list of commands says; the second is
            repeated in the verb's own help.
        **kwargs: as any group's.
    """

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs, in the order in which one meets them."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in self.verbs:
            return None
        module, _, name = self.verbs[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.verbs.items()])
