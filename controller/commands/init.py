"""`controller init`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, output_options, workspace_option


@click.command(
    "init",
    epilog="""\b
Examples:
  controller init --workspace streets --dataset my-images
  controller init --workspace streets --dataset my-images --set selection.group_size=50
  controller init --workspace streets --backend-url http://127.0.0.1:9090
  controller init --workspace streets --dataset my-images --offline""",
)
@workspace_option
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data set (new workspace).",
)
@click.option("--title", help="Title of the Label Studio project.")
@click.option(
    "--project", type=click.IntRange(1), help="Use this Label Studio project instead of making one."
)
@click.option("--backend-url", help="Connect this backend, which has to run.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of controller.toml."
)
@click.option("--offline", is_flag=True, help="Do not talk to Label Studio; call init again later for that.")
@output_options
def command(
    workspace: Path,
    dataset: Path | None,
    title: str | None,
    project: int | None,
    backend_url: str | None,
    settings: tuple[str, ...],
    offline: bool,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Make a workspace, its Label Studio project and the link to the backend; what is there already stays.

    A workspace is a folder with controller.toml (every setting, with comments), the database and all
    results. The project gets the labelling config of the data set's classes, colours and hotkeys. The backend
    is connected with the login in TENTH_BACKEND_USER and TENTH_BACKEND_PASSWORD, which its webhook gets too.

    \b
    Order on the first day:
      1. controller init --workspace W --dataset D        workspace and project
      2. ls-backend --workspace W --port 9090             in another terminal
      3. controller init --workspace W --backend-url http://127.0.0.1:9090
    """  # noqa: D301  (click's mark for lines that stay as they are)
    from controller.initialize import initialize

    done = initialize(
        workspace,
        dataset=dataset,
        title=title,
        project=project,
        backend_url=backend_url,
        settings=settings,
        offline=offline,
    )
    echo_result(done, as_json, [f"{name.replace('_', ' ')}: {value}" for name, value in done.items()])
