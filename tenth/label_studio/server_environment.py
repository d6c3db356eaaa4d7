"""The environment variables of an embedded Label Studio, and nothing else of the caller's."""

from __future__ import annotations

import os
from pathlib import Path


def emptied_environment(home: Path, data_dir: Path, executable: Path) -> dict[str, str]:
    """Return an environment in which nothing of the caller's changes a Label Studio setting.

    Every setting is read as ``LABEL_STUDIO_X``, ``HEARTEX_X`` and bare ``X``: an inherited ``HOST`` or
    ``PORT`` would count. ``HOME`` is redirected because Label Studio writes below ``~/.config``.
    """
    kept = {name: os.environ[name] for name in ("TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "PATH": os.pathsep.join([str(executable.parent), os.defpath]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "FEATURE_FLAGS_OFFLINE": "true",
    }


def server_settings(
    url: str, username: str, password: str, token: str, legacy_tokens: bool
) -> dict[str, str]:
    """Return the settings with which an embedded server starts, its secrets kept off the command line."""
    return {
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": username,
        "LABEL_STUDIO_PASSWORD": password,
        "LABEL_STUDIO_USER_TOKEN": token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": str(legacy_tokens).lower(),
        # The backend and its webhook are on this machine.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        # Predictions with an unknown label are refused instead of hidden.
        "fflag_feat_utc_210_prediction_validation_15082025": "true",
    }


def local_files_settings(root: Path) -> dict[str, str]:
    """Return the settings that let the server serve the files below `root`."""
    return {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(root)}
