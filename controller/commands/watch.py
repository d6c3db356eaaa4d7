"""`controller watch`."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from controller.options import make_progress, output_options, workspace_option


@click.command(
    "watch",
    epilog="""\b
Examples:
  controller watch --workspace streets
  controller watch --workspace streets --accept-partial 0.95 --poll 30""",
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
    "--poll",
    type=click.FloatRange(1),
    default=60.0,
    help="Seconds between looks without a webhook.  [default: 60]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="Stop after pushing so many groups. Default: until the pool is empty.",
)
@output_options
def command(
    workspace: Path, accept_partial: float, poll: float, rounds: int | None, as_json: bool, quiet: bool
) -> None:
    """Run rounds by themselves: as soon as a group is answered, learn from it and push the next one.

    The backend writes Label Studio's webhooks into the workspace's inbox and never trains itself; this
    command acts on them, and looks by itself too, because webhooks get lost. Ctrl-C or SIGTERM ends it; a
    round that was cut off is continued at the next start, and a training at the step where it was.
    """
    import json

    from controller.loop import Loop
    from controller.watch import WatchOptions, watch

    terminated = False

    def terminate(number: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C does at this moment: a training first ends its step and writes a checkpoint."""
        nonlocal terminated
        terminated = True
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(number, frame)

    signal.signal(signal.SIGTERM, terminate)
    loop = Loop.open(workspace, make_progress(quiet))

    def tell(text: str) -> None:
        click.echo(json.dumps({"event": text}) if as_json else text)

    try:
        watch(loop, WatchOptions(accept_partial=accept_partial, poll=poll, rounds=rounds), tell)
    except KeyboardInterrupt:
        if not terminated:  # told to end, it has ended: no failure for whoever runs it as a service
            raise
