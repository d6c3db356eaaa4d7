"""`make demo`: rounds of asking and learning on real images, through a running Label Studio."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path

import click

from controller.control import train_control
from controller.loop import Loop
from controller.options import table
from controller.report import write_report
from controller.status import round_rows
from demo.services import Services
from demo.settings import ROUNDS, SCENES, DemoSettings, folder_settings, scene_settings
from tenth.errors import TenthError
from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.scenes import write_scenes

HERE = Path(__file__).parent


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Your data set's folder."
)
@click.option("--keep", is_flag=True, help="Push one more group and stay up, for a person to answer it.")
@click.option(
    "--label-studio", type=click.Path(path_type=Path, exists=True), required=True, help="Its executable."
)
@click.option(
    "--rounds",
    default=ROUNDS,
    show_default=True,
    type=click.IntRange(1),
    help="Rounds after the initial model.",
)
def main(data: Path | None, keep: bool, label_studio: Path, rounds: int) -> None:
    """Train an initial model, run rounds with a simulated annotator, and compare with a control."""
    started = time.perf_counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    dataset, settings = prepare(data)
    work = HERE / "work"
    shutil.rmtree(work, ignore_errors=True)
    with Services(label_studio, work) as services:
        say(f"Label Studio {services.version} runs at {services.label_studio.url}")
        services.controller(
            "init", "--dataset", str(dataset), "--title", "Tenth demo", *settings.as_options()
        )
        services.start_backend()
        services.controller("init", "--backend-url", services.backend_url)
        run_rounds(services, dataset, rounds, keep=keep)
        loop = Loop.open(services.workspace, Progress(None))
        say("Training the control: the initial set alone, for as many steps as all rounds together")
        control = train_control(loop)
        summary = summarize(loop, services, data, control, time.perf_counter() - started)
        (HERE / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        write_report(loop, HERE / "report.html", title="Tenth demo", control=control)
        print_summary(summary)
        if keep:
            services.wait_for_person()
    check(summary)


def prepare(data: Path | None) -> tuple[Path, DemoSettings]:
    """Return the data set's folder and its settings; scenes are generated when no folder is given."""
    if data is not None:
        return data.resolve(), folder_settings(FolderDataset(data))
    folder = HERE / "data"
    shutil.rmtree(folder, ignore_errors=True)
    say("Generating street scenes")
    write_scenes(folder, **SCENES, progress=Progress(None))
    return folder, scene_settings()


def run_rounds(services: Services, dataset: Path, rounds: int, *, keep: bool) -> None:
    """Train the initial model, then answer and learn from one group after the other."""
    say("Training the initial model")
    services.controller("train")
    services.controller("next-round")
    for number in range(1, rounds + 1):
        say(f"Round {number}: the simulated annotator answers through Label Studio's API")
        services.controller("oracle", "--exact", "--labels", str(dataset / "train" / "labels"))
        last = number == rounds and not keep
        services.controller("next-round", *(["--no-push"] if last else []))


def summarize(
    loop: Loop, services: Services, data: Path | None, control: dict[str, float | None], seconds: float
) -> dict[str, object]:
    """Return what `summary.json` holds."""
    keys = (
        "round",
        "images",
        "regions",
        "pixel_share",
        "extra_share",
        "keys",
        "miou_val",
        "miou_test",
        "seconds",
    )
    closed = [row for row in round_rows(loop) if row["state"] == "closed"]
    return {
        "label_studio_version": services.version,
        "dataset": data.name if data else "generated street scenes",
        "seconds": round(seconds, 1),
        "control": {"miou_val": control["miou_val"], "miou_test": control["miou_test"]},
        "rounds": [{key: row[key] for key in keys} for row in closed],
    }


def print_summary(summary: dict[str, object]) -> None:
    """Print the table of rounds, the control and where to look further."""
    steps: list[str] = []
    for row in summary["rounds"]:
        steps += [name for name in row["seconds"] if name not in steps]
    header = [
        "round",
        "images",
        "regions",
        "pixel share",
        "keys",
        "mIoU val",
        "mIoU test",
        *(f"{s} s" for s in steps),
    ]
    fields = ("round", "images", "regions", "pixel_share", "keys", "miou_val", "miou_test")
    rows = [
        [*(row[f] for f in fields), *(_seconds(row["seconds"], s) for s in steps)]
        for row in summary["rounds"]
    ]
    control = summary["control"]
    blank = [None] * len(steps)
    rows.append(["control", None, None, None, None, control["miou_val"], control["miou_test"], *blank])
    print("\n".join(["", *table(header, rows), ""]))
    print(f"{summary['seconds']:.0f} s in all.")
    print(f"Numbers: {HERE / 'summary.json'}   Pictures: {HERE / 'report.html'}")


def _seconds(seconds: dict[str, float], step: str) -> int | None:
    return round(seconds[step]) if step in seconds else None


def check(summary: dict[str, object]) -> None:
    """End with an error when the rounds did not beat the control or asked for more than a tenth."""
    last, control = summary["rounds"][-1], summary["control"]
    if max(row["pixel_share"] for row in summary["rounds"]) > 0.10:
        raise TenthError("A round asked about more than a tenth of the pixels; see demo/summary.json.")
    if last["miou_test"] is not None and last["miou_test"] <= control["miou_test"]:
        raise TenthError(
            f"The last round reaches a test mIoU of {last['miou_test']:.4f}, the control "
            f"{control['miou_test']:.4f}: asking people did not pay here. "
            "Ask about more images or regions a round (selection.group_size, selection.max_regions)."
        )


def say(text: str) -> None:
    """Tell where the demo is."""
    click.secho(f"▸ {text}", bold=True)


if __name__ == "__main__":
    try:
        main.main(standalone_mode=False)
    except TenthError as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
