"""What it costs that idle threads of OpenMP spin, alone on the machine and beside another program.

    python -m benchmarks.spinning_threads

Trains with one thread a processor in a process of its own, with libgomp's own GOMP_SPINCOUNT and with one of
1000, in turns; then the same beside one that keeps a single processor busy. Ratios above 1 are in favour of
the latter. Prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

STEPS, TURNS = 5, 3

SPINS = 1000
"""What `make demo` sets and docs/quickstart.md names; libgomp's own is 300,000."""

TRAINING = f"""
import time, torch
from tenth.segmentation.networks import NetworkSpec
network = NetworkSpec("icnet", 11, {{"encoder": "efficientnet-lite0"}}).build().train()
images = torch.randn(8, 3, 180, 240)
def step():
    sum(output.logits.mean() for output in network.training_outputs(images)).backward()
step()
start = time.perf_counter()
for _ in range({STEPS}):
    step()
print((time.perf_counter() - start) / {STEPS})
"""


def seconds(spins: int | None) -> float:
    """Return the seconds of a step; ``None`` leaves the number of spins to libgomp."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if spins is not None:
        environment["GOMP_SPINCOUNT"] = str(spins)
    result = subprocess.run(
        [sys.executable, "-c", TRAINING],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(result.stdout)


def compared() -> dict[str, float]:
    """Return the median seconds of a step both ways, taken in turns, and their ratio."""
    taken: dict[int | None, list[float]] = {None: [], SPINS: []}
    for _ in range(TURNS):
        for spins, found in taken.items():
            found.append(seconds(spins))
    default, ours = median(taken[None]), median(taken[SPINS])
    return {"default": default, f"{SPINS} spins": ours, "ratio": default / ours}


def main() -> None:
    """Compare alone, then beside another program."""
    result = {"processors": os.cpu_count(), "alone": compared()}
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            result["beside another program"] = compared()
        finally:
            other.kill()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
