"""`controller oracle`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, make_progress, output_options, workspace_option
from controller.training_options import SEED


@click.command(
    "oracle",
    epilog="""\b
Examples:
  controller oracle --workspace streets --labels truth/
  controller oracle --workspace streets --labels truth/ --noise 0.05 --annotators 3
  controller oracle --workspace streets --labels truth/ --exact""",
)
@workspace_option
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Ground truth: NAME.png, in folders as in the pool where it has some.",
)
@click.option(
    "--noise", type=click.FloatRange(0, 1), default=0.0, help="Share of wrong answers.  [default: 0]"
)
@click.option(
    "--annotators", type=click.IntRange(1), default=1, help="People to divide the work among.  [default: 1]"
)
@click.option(
    "--exact",
    is_flag=True,
    help="Paint regions that hold several classes: a key, a stroke and an Esc a part.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the wrong answers.")
@output_options
def command(
    workspace: Path,
    labels: Path,
    noise: float,
    annotators: int,
    exact: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Answer the open group from ground truth, as a person would: a simulated annotator.

    A region's answer is the class that most of its pixels have ("void" where most are ignored). Accepting the
    model's guess costs one key, the submit; any other answer two. Answers go through Label Studio's API, so
    that everything behind it is what people's answers meet.
    """
    from controller.loop import Loop
    from controller.oracle import Oracle, answer_group

    loop = Loop.open(workspace, make_progress(quiet))
    done = answer_group(loop, labels, Oracle(noise, exact, seed), annotators)
    lines = [f"Answered {done['answered']} regions of round {done['round']}."]
    lines += [f"  {count:5d}  {who}" for who, count in done["annotators"].items()]
    echo_result(done, as_json, lines)
