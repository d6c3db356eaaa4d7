"""Photograph a region task, for the README: ``python docs/screenshot.py`` after ``make demo``.

Starts the demo's Label Studio again, pushes one more group, and opens the labelling stream in Chromium.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "system")]

from browser import Editor, browser  # noqa: E402

from controller.loop import Loop  # noqa: E402
from tenth.label_studio.server import EmbeddedLabelStudio  # noqa: E402


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "demo" / "work", help="what the demo left")
    parser.add_argument(
        "--label-studio", type=Path, default=ROOT / ".venv-label-studio" / "bin" / "label-studio"
    )
    parser.add_argument("--task", type=int, help="task to show; the first of the stream by default")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "region-task.png")
    options = parser.parse_args()
    workspace = options.work / "workspace"
    with EmbeddedLabelStudio(options.label_studio, options.work / "label-studio") as server:
        os.environ |= {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
        loop = Loop.open(workspace)
        if loop.workspace.open_group() is None:
            call = [sys.executable, "-m", "controller.cli", "next-round", "--workspace", str(workspace)]
            subprocess.run(call, check=True, cwd=ROOT)
        with browser(1440, 900) as driver:
            editor = Editor(driver, server.url)
            editor.log_in(server.username, server.password)
            if options.task:
                editor.open(loop.project, options.task)
            else:
                editor.open_stream(loop.project)
            driver.save_screenshot(str(options.out))


if __name__ == "__main__":
    main()
