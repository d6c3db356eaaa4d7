"""`controller next-round`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, make_progress, output_options, workspace_option


@click.command(
    "next-round",
    epilog="""\b
Examples:
  controller next-round --workspace streets
  controller next-round --workspace streets --accept-partial 0.9
  controller next-round --workspace streets --give-up --no-push
  controller next-round --workspace streets --dry-run""",
)
@workspace_option
@click.option(
    "--accept-partial",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    metavar="SHARE",
    help="Go on once this share of the group is answered; the rest is withdrawn. Default: all of it.",
)
@click.option(
    "--give-up",
    is_flag=True,
    help="Go on with the answers that there are, even if there are none; the rest is withdrawn.",
)
@click.option("--dry-run", is_flag=True, help="Say what the call would do, and do nothing.")
@click.option(
    "--no-push", is_flag=True, help="Learn from the open group and stop, without pushing another one."
)
@output_options
def command(
    workspace: Path,
    accept_partial: float,
    give_up: bool,
    dry_run: bool,
    no_push: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Close the open group and push the next one.

    \b
    Closing:  pull the answers → merge them into label maps → train → (distill) → evaluate → publish
    Opening:  score the pool → choose images and regions → push them as tasks

    A label map holds what people answered; with labels.pseudo the model's own labels fill the rest.

    The very first call trains the initial model and pushes the first group. While the open group is
    incomplete the call prints who did how much and what is left, changes nothing, and exits with 3. A call
    that was killed is continued by the next one, at the step where it stopped. Tasks that somebody deleted
    count as answered; when all of them are gone, only --give-up closes the group.
    """  # noqa: D301  (click's mark for lines that stay as they are)
    from controller.loop import Loop
    from controller.plan import planned
    from controller.round import next_round
    from controller.status import round_rows

    loop = Loop.open(workspace, make_progress(quiet))
    needed = 0.0 if give_up else accept_partial
    if dry_run:
        plan = planned(loop, needed, push_next=not no_push)
        echo_result({"would": plan}, as_json, ["Would do:", *(f"  {line}" for line in plan)])
        return
    with loop.workspace.lock():
        outcome = next_round(loop, accept_partial=needed, push_next=not no_push)
    rows = {row["round"]: row for row in round_rows(loop)}
    lines = []
    if outcome.closed is not None:
        row = rows[outcome.closed]
        scores = ", ".join(
            f"{name} mIoU {row['miou_' + name]:.4f}"
            for name in ("val", "test")
            if row["miou_" + name] is not None
        )
        lines.append(
            f"Round {outcome.closed} is closed: {row['trained_version']}{', ' + scores if scores else ''}."
        )
        if row["student"]:
            lines.append(row["student"]["sentence"])
        if row["problems"]:
            lines.append(f"{row['problems']} answers were set aside; 'controller status' lists them.")
    if outcome.opened is not None:
        row = rows[outcome.opened]
        lines.append(
            f"Round {outcome.opened} is open: {row['regions']} regions of {row['images']} images wait at "
            f"{loop.client.url}/projects/{loop.project}/data."
        )
    else:
        lines.append(f"No group was pushed: {outcome.reason}.")
    document = {
        "closed": rows.get(outcome.closed) if outcome.closed is not None else None,
        "opened": rows.get(outcome.opened) if outcome.opened is not None else None,
        "reason": outcome.reason,
    }
    echo_result(document, as_json, lines)
