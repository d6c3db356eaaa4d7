"""`ls-backend`: serve a workspace's models to Label Studio."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from ls_backend.server import Address, serve
from tenth.errors import TenthError


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Example:
  export TENTH_BACKEND_USER=tenth TENTH_BACKEND_PASSWORD="$(openssl rand -hex 16)"
  export LABEL_STUDIO_URL=http://127.0.0.1:8080 LABEL_STUDIO_API_KEY=<token>
  ls-backend --workspace work --port 9090

Label Studio is told the same user and password when the backend is connected. LABEL_STUDIO_* are needed only
for images that lie in Label Studio.""",
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TENTH_WORKSPACE",
    required=True,
    help="Folder made by `controller init` (or TENTH_WORKSPACE).",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9090, show_default=True, type=click.IntRange(1, 65535), help="Its port.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes; each holds its own copy of the weights.",
)
@click.option(
    "--threads",
    default=8,
    show_default=True,
    type=click.IntRange(3, 256),
    help="Threads of each process; two stay free for /health and webhooks.",
)
def main(workspace: Path, host: str, port: int, workers: int, threads: int) -> None:
    """Serve the models of a workspace to Label Studio: predictions, webhooks, metrics.

    A version that is published is answered with from the next request on. The login comes from
    TENTH_BACKEND_USER and TENTH_BACKEND_PASSWORD.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Its lines hold addresses with signatures.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        check(workspace)
    except TenthError as error:
        click.echo(f"ls-backend: {error}", err=True)
        sys.exit(error.exit_code)
    serve(workspace.absolute(), Address(host, port), workers, threads)


def check(workspace: Path) -> None:
    """Find what would end every worker, while there is one place to say it.

    Raises
    ------
    ConfigurationError
        When the login is not set, there is no such workspace, or its [backend] runtime is not installed.
    """
    from tenth.workspace.runtimes import check_runtime
    from tenth.workspace.secrets import backend_credentials
    from tenth.workspace.workspace import Workspace

    backend_credentials()
    check_runtime(Workspace.open(workspace).config.backend.runtime)


if __name__ == "__main__":
    main()
