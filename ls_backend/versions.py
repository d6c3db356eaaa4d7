"""Which model version answers."""

from __future__ import annotations

from tenth.workspace.workspace import Workspace

NO_MODEL = "no-model"
"""The version string before the first model (cold start)."""


def version_for(workspace: Workspace, project: int | None) -> str | None:
    """Return the version that predictions of a project carry, ``None`` where there is no model for it.

    While a group is open its project stays with the version that asked: another one would hide the guesses
    that Label Studio shows, and add a second prediction to each task.

    Parameters
    ----------
    workspace : Workspace
        Whose group may be open.
    project : int or None
        The project that asks; ``None`` counts as the workspace's own.
    """
    ours = workspace.config.label_studio.project
    if project is None or ours in (0, project):  # 0: the workspace was opened before `controller init`
        group = workspace.open_group()
        if group is not None:
            return group.model_version
    return workspace.models.current()
