"""The `controller` command: options that all commands share, and one exit code a kind of error."""

from __future__ import annotations

import difflib
import importlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from tenth import __version__
from tenth.errors import StorageError, TenthError

USAGE = 2
"""Exit code of a call that cannot be understood."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: what a shell says of a program that SIGINT ended."""

COMMANDS = {
    "init": "Make a workspace, its Label Studio project and the link to the backend.",
    "train": "Train the initial model, or train the current one further.",
    "fit-crf": "Find the weights of the CRF that fit the data.",
    "next-round": "Close the open group and push the next one.",
    "status": "Show the rounds, and who answered how much of the open group.",
    "watch": "Run rounds by themselves, as soon as a group is answered.",
    "oracle": "Answer the open group from ground truth: a simulated annotator.",
    "evaluate": "Measure a model version on a labelled split.",
    "predict": "Label images with a model version.",
    "export-labels": "Write what people answered as label maps.",
    "export-model": "Write a model version as ONNX or OpenVINO, checked against torch.",
    "import-model": "Add a model version that Tenth wrote to a workspace.",
    "fit-temperatures": "Find the temperatures at which teachers are equally soft.",
    "distill": "Train a small network on what several larger ones say together.",
    "simulate": "Compare strategies on a labelled data set, without people.",
    "doctor": "Check everything a round needs, and say how to mend what is wrong.",
}


class LazyGroup(click.Group):
    """Imports a command only when it is called: `--help` need not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands, in the order of a user's first day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command called `cmd_name`, or ``None`` when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"controller.commands.{cmd_name.replace('-', '_')}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with; raises UsageError that names the nearest one."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command '{args[0]}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="controller")
@click.option("-v", "--verbose", is_flag=True, help="Log every step and every request to standard error.")
def cli(verbose: bool) -> None:
    """Ask people about few regions, mostly where the model is unsure, and learn from their answers.

    \b
    A first day:
      export LABEL_STUDIO_URL=http://127.0.0.1:8080 LABEL_STUDIO_API_KEY=…
      controller init --workspace streets --dataset my-images
      controller train --workspace streets
      controller next-round --workspace streets      # pushes the first group
      … people answer in Label Studio …
      controller next-round --workspace streets      # learns, pushes the second

    \b
    Exit codes: 0 done, 2 usage or configuration, 3 waiting for annotators,
    4 Label Studio refused or out of reach, 5 bad data, 6 disk full, no permission
    or a file in the way, 130 interrupted.
    """  # noqa: D301  (click's mark for lines that stay as they are)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the exit code of its outcome."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        cli.main(args=arguments, prog_name="controller", standalone_mode=False)
    except TenthError as error:
        _fail(error, as_json)
    except OSError as error:
        logging.getLogger(__name__).info("The system refused something.", exc_info=error)
        _fail(StorageError.of(error), as_json)
    except click.ClickException as error:
        if as_json:
            _document(type(error).__name__, error.format_message(), USAGE, {})
        else:
            error.show()
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        again = "the same command with --resume" if _needs_resume(arguments) else "the same command"
        message = f"Interrupted. Nothing is lost: {again} continues where this one stopped."
        if as_json:
            _document("Interrupted", message, INTERRUPTED, {})
        else:
            click.echo(message, err=True)  # click has ended the line that the terminal shows ^C in
        sys.exit(INTERRUPTED)


def _fail(error: TenthError, as_json: bool) -> NoReturn:
    if as_json:
        _document(type(error).__name__, str(error), error.exit_code, getattr(error, "details", {}))
    else:
        click.echo(f"controller: {error}", err=True)
    sys.exit(error.exit_code)


def _needs_resume(arguments: Sequence[str]) -> bool:
    """Return whether a call without ``--resume``, which its command has, would begin anew."""
    name = next((argument for argument in arguments if argument in COMMANDS), None)
    command = cli.get_command(click.Context(cli), name) if name else None
    known = command is not None and any("--resume" in each.opts for each in command.params)
    return known and "--resume" not in arguments


def _document(name: str, message: str, exit_code: int, details: Mapping[str, Any]) -> None:
    document = {"error": name, "message": message, "exit_code": exit_code}
    click.echo(json.dumps({**document, **details}, indent=2))


if __name__ == "__main__":
    main()
