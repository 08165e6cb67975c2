"""`ticker completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(epilog='For example, in ~/.bashrc: eval "$(ticker completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script."""
    complete = get_completion_class(shell)
    assert complete is not None
    print(complete(ctx.find_root().command, {}, "ticker", "_TICKER_COMPLETE").source())
