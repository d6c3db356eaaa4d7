"""Print the API key of the demo's running Label Studio, for use in a shell: ``$(python -m demo.key)``."""

from __future__ import annotations

import json
from pathlib import Path

if __name__ == "__main__":
    secrets = json.loads(
        (Path(__file__).parent / "work" / "label-studio" / "secrets.json").read_text("utf-8")
    )
    print(secrets["token"])
