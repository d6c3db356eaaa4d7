"""What all commands have in common: `--workspace`, `--json`, `--quiet`, and how a result is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tenth.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])


def workspace_option(function: F) -> F:
    """Add ``--workspace`` (or the variable TENTH_WORKSPACE), the current folder by default."""
    return click.option(
        "--workspace",
        "-w",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        envvar="TENTH_WORKSPACE",
        show_envvar=True,
        help="Folder with controller.toml; the current folder by default.",
    )(function)


def output_options(function: F) -> F:
    """Add ``--json`` and ``--quiet``."""
    function = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
    )(function)
    return click.option("--quiet", "-q", is_flag=True, help="No progress bars, nor lines in a log.")(function)


class ListsCommand(click.Command):
    """A command whose repeatable options also take several values at once: ``--seeds 0 1 2``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its values, which is what click understands.

        A number below 0 is a value and not an option: what is wrong with it, its type says.
        """
        lists = {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option) and parameter.multiple
            for name in parameter.opts
        }
        spread: list[str] = []
        current: str | None = None
        for arg in args:
            if arg.startswith("-") and not _is_number(arg):
                current = arg if arg in lists else None
                if current is None:
                    spread.append(arg)
            elif current is not None:
                spread += [current, arg]
            else:
                spread.append(arg)
        return super().parse_args(ctx, spread)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def make_progress(quiet: bool) -> Progress:
    """Return bars on a terminal and lines elsewhere, or nothing when `quiet`."""
    return Progress(False if quiet else None)


def echo_result(document: Mapping[str, Any], as_json: bool, lines: Sequence[str]) -> None:
    """Print `document` as JSON, or else the `lines` meant for people."""
    if as_json:
        click.echo(json.dumps(document, indent=2, default=str))
    else:
        for line in lines:
            click.echo(line)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a text table, numbers aligned to the right.

    Parameters
    ----------
    header : sequence of str
        Column titles.
    rows : sequence of sequences
        Cells; a float is shown with four digits, ``None`` as a dash.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True))
        return "  ".join(padded).rstrip()

    return [line(list(header)), "  ".join("-" * width for width in widths), *map(line, cells)]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
