"""Write docs/configuration.md and docs/cli.md from the code: ``python docs/generate.py [FOLDER]``.

A test fails while they differ from what this writes.
"""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from pathlib import Path

import click
from pydantic import BaseModel

from controller.cli import COMMANDS, cli
from controller.strategies import STRATEGIES, build_strategy
from ls_backend.cli import main as ls_backend
from tenth.segmentation.networks import NETWORKS
from tenth.workspace.config import Config

WIDTH = 100

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}

_CONFIGURATION = """\
# Configuration

<!-- Written by docs/generate.py from tenth/workspace/*settings.py; change it there. -->

A workspace is a folder, and `controller.toml` in it holds its settings. `controller init` writes the file
with every key, its default and its meaning. Relative paths are relative to that folder. An unknown key, a
value of another type or out of range is refused with the file, the key, the reason and the nearest valid key;
nothing is guessed. Changes count from the next command on; `ls-backend` and `controller watch` read the file
when they start.

Any key can be set when the workspace is made, or later, without an editor:

    controller init --workspace streets --dataset my-images --set selection.group_size=50
    controller init --workspace streets --offline --set labels.pseudo=true

## Environment

Secrets stand in no file of ours, only in the environment. Both programs read these.

| variable | meaning |
|---|---|
"""

ENVIRONMENT = {
    "LABEL_STUDIO_URL": "Address of Label Studio, unless `[label_studio] url` names it.",
    "LABEL_STUDIO_API_KEY": "Personal access token or legacy token; which of the two is seen from its form.",
    "TENTH_BACKEND_USER": "User that Label Studio presents to our backend.",
    "TENTH_BACKEND_PASSWORD": "Its password. `controller init --backend-url` hands both to Label Studio.",
    "TENTH_WORKSPACE": "The workspace, instead of `--workspace`.",
    "TENTH_DATABASE_URL": "Replaces `[database] url`; may hold a password.",
    "PGPASSWORD": "Password of PostgreSQL, when the URL has none.",
    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": "Label Studio's document root, when it is not the "
    "parent of `crop_folder`.",
    "AWS_ACCESS_KEY_ID": "With `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and `AWS_ENDPOINT_URL`: for "
    "`s3://` pools and crops.",
    "XDG_CACHE_HOME": "Downloaded weights are kept in `tenth/weights` below it; `~/.cache` by default.",
    "OMP_NUM_THREADS": "Threads of torch; by default the backend divides the cores among its workers.",
}

_STRATEGIES = """\
### Strategies

What `strategy` can be. *Asks about*: what a query is; strategies that ask about pixels or whole images can be
simulated, and people are asked with the one named behind the arrow instead. *Needs*: what is computed for
each image of a group beside the network's probabilities. *Labels the rest by*: whose labels the pixels get
that nobody is asked about, where `[labels] pseudo = true`. Whatever the strategy, the group is the images of
highest summed entropy, unless it says otherwise; no budget is exceeded, and the step `choose` reports what is
left of it.

| strategy | takes | asks about | needs | labels the rest by |
|---|---|---|---|---|
"""

_NETWORKS = """\
### Networks

What `name` can be, and so `[distill] student`, `--student` and `--network`. `[network]` gives the options
that are keys of the table above, and no others. Without a workspace they are given as `--option NAME=VALUE`,
to a student of a workspace in `[distill] student_options`; what is left out is as below, the weights random.
Only `simulate` has the encoder and the weights that are the defaults of `[network]`. `weights` of `espnetv2`
are those of the whole network: a file, or "" for random ones, not "imagenet".

| network | what it is | options, with the network's own defaults |
|---|---|---|
"""

_NEEDS = {
    "crf": "the CRF",
    "passes": "passes with dropout",
    "committee": "up to three earlier models",
    "mirror": "the mirrored image",
    "features": "features of the last layer",
}

_CLI = """\
# Commands

<!-- Written by docs/generate.py from the commands' own help; change it there. -->

Exit codes of `controller`: 0 done, 2 usage or configuration, 3 waiting for annotators, 4 Label Studio refused
or out of reach, 5 bad data, 6 disk full, no permission or a file in the way, 130 interrupted. With `--json`
an error is one document as well: `{"error": …, "message": …, "exit_code": …}`.
"""


def configuration() -> str:
    """Return docs/configuration.md."""
    defaults = Config()
    parts = [_CONFIGURATION + "".join(f"| `{name}` | {meaning} |\n" for name, meaning in ENVIRONMENT.items())]
    for name in Config.model_fields:
        parts.append(_section(name, type(getattr(defaults, name))))
        if name == "network":
            parts.append(_networks())
        if name == "selection":
            parts.append(_strategies())
    return "\n".join(parts)


def _section(name: str, section: type[BaseModel]) -> str:
    lines = [
        f"## [{name}]",
        "",
        str(section.__doc__).strip(),
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    for key, field in section.model_fields.items():
        limits = [
            f"{sign} {getattr(constraint, bound):g}"
            for constraint in field.metadata
            for bound, sign in _BOUNDS.items()
            if hasattr(constraint, bound)
        ]
        meaning = str(field.description).replace("|", "\\|")
        default = _toml(field.get_default(call_default_factory=True))
        lines.append(f"| `{key}` | `{default}` | {meaning}{_in_brackets(limits)} |")
    return "\n".join(lines) + "\n"


def _strategies() -> str:
    """Return the table of strategies."""
    lines = []
    for name in STRATEGIES.names():
        strategy = build_strategy(name)
        summary = str(type(strategy).__doc__).strip().splitlines()[0].replace("``", "`")
        asks = strategy.unit + (f" → `{strategy.counterpart}`" if strategy.counterpart else "")
        needs = [_NEEDS[need] for need in _NEEDS if need in strategy.needs]
        labels = {"crf": "the CRF", "network": "the network"}[strategy.pseudo_labels]
        lines.append(
            f"| `{name}` | {summary} | {asks} | "
            f"{', '.join(needs) or ('nothing' if strategy.needs_model else 'no model')} | {labels} |\n"
        )
    return _STRATEGIES + "".join(lines)


def _networks() -> str:
    """Return the table of networks."""
    lines = []
    for name in NETWORKS.names():
        factory = NETWORKS.get(name)
        summary = str(factory.__doc__).strip().splitlines()[0].replace("``", "`")
        parameters = inspect.signature(factory).parameters.values()
        options = [_option(parameter) for parameter in parameters if parameter.name != "classes"]
        lines.append(f"| `{name}` | {summary} | {', '.join(options) or 'none'} |\n")
    return _NETWORKS + "".join(lines)


def _option(parameter: inspect.Parameter) -> str:
    """Return an option's name, with its default where it has one that says something."""
    plain = parameter.default in (None, parameter.empty)
    return f"`{parameter.name}`" if plain else f"`{parameter.name}={parameter.default}`"


def _in_brackets(limits: list[str]) -> str:
    return f" ({', '.join(limits)})" if limits else ""


def _toml(value: object) -> str:
    if value is None:
        return "[]"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def commands() -> str:
    """Return docs/cli.md."""
    parts = [_CLI, "## controller\n", _help(cli, "controller")]
    parent = click.Context(cli, info_name="controller")
    for name in COMMANDS:
        command = cli.get_command(parent, name)
        if command is not None:
            parts += [f"## controller {name}\n", _help(command, f"controller {name}")]
    parts += ["## ls-backend\n", _help(ls_backend, "ls-backend")]
    return "\n".join(parts)


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    return textwrap.indent(command.get_help(context), "    ", lambda line: bool(line.strip())) + "\n"


def pages() -> dict[str, str]:
    """Return what every generated page should hold, by its name."""
    return {"configuration.md": configuration(), "cli.md": commands()}


def main(folder: Path) -> None:
    """Write the pages that differ."""
    for name, text in pages().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path} written\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
