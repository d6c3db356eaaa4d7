"""`controller doctor`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.options import echo_result, output_options, workspace_option

if TYPE_CHECKING:
    from controller.doctor import Check

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command(
    "doctor",
    epilog="""\b
Examples:
  controller doctor --workspace streets
  controller doctor --workspace streets --json""",
)
@workspace_option
@output_options
def command(workspace: Path, as_json: bool, quiet: bool) -> None:
    """Check everything a round needs, and say how to mend what is wrong.

    This machine, the workspace, its data, Label Studio and the backend, each from both sides. Every failed
    check ends with the command that mends it. Exits 0 unless a check failed, else with 2 (configuration),
    4 (Label Studio) or 5 (data), the highest of them. Nothing is changed, but for a picture of one pixel that
    is stored where crops go. --quiet shows only what is not well.
    """
    from controller.doctor import examine, exit_code

    checks = []
    for check in examine(workspace):
        checks.append(check)
        if not as_json and not check.cause and not (quiet and check.state == "ok"):
            show(check)
    code = exit_code(checks)
    counts = {state: sum(check.state == state for check in checks) for state in MARKS}
    summary = f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed"
    document = {"exit_code": code, **counts, "checks": [check.to_dict() for check in checks]}
    unmade = [f"Not looked at for that: {', '.join(check.name for check in checks if check.cause)}."]
    closing = [*(unmade if any(check.cause for check in checks) else []), "", summary]
    echo_result(document, as_json, [] if quiet and not code else closing)
    sys.exit(code)


def show(check: Check) -> None:
    """Print one check and, below it, the command that mends it."""
    mark, color = MARKS[check.state]
    click.echo(f"{click.style(mark, fg=color, bold=True)} {check.name}: {check.message}")
    if check.remedy:
        click.echo(f"    → {check.remedy}")
