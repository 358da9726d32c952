"""A group of commands whose list needs no word: `ringlet agents --json` is `ringlet agents list --json`.

Decides that alone; the commands and their options are each group's own.
"""

from typing import Any

from typer.core import TyperGroup


class Listed(TyperGroup):
    """A group whose command `list` is meant where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any group's, with the word `list` put before options and before nothing; help stays the group's."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed
