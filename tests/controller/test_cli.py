"""The command line: help, exit codes, JSON, and what it does without torch."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from controller.cli import COMMANDS, cli, main
from controller.round import begin
from controller.steps import run_steps
from tenth.errors import WaitingForAnnotators

REPOSITORY = Path(__file__).resolve().parents[2]


def run(capsys, *arguments):
    """Run the command in this process; return exit code, standard output and error."""
    try:
        main([str(argument) for argument in arguments])
        code = 0
    except SystemExit as ended:
        code = ended.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_and_its_common_options(command):
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0, result.output
    example = rf"^\s+(Example:\s+)?controller {command} --(workspace|dataset) \w"
    subject = re.search(example, result.output, re.MULTILINE)
    assert subject
    for option in (f"--{subject[2]}", "--json", "--help"):
        assert option in result.output
    assert "\\b" not in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 110


def test_the_help_of_all_keeps_its_lines():
    result = CliRunner().invoke(cli, ["--help"])
    assert "\n    controller next-round --workspace streets      # pushes the first group\n" in result.output
    assert "\\b" not in result.output
    for name, text in COMMANDS.items():
        assert f"  {name} " in result.output
        assert text.split(",")[0] in " ".join(result.output.split())


def test_help_needs_no_torch():
    """One process for all of them: what one import leaves behind would be seen in the next."""
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from controller.cli import COMMANDS, cli\n"
        "for arguments in [['--help'], ['--version'], *([name, '--help'] for name in COMMANDS)]:\n"
        "    assert CliRunner().invoke(cli, arguments).exit_code == 0, arguments\n"
        "print([name for name in ('torch', 'skimage', 'cv2') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"), [("trian", "train"), ("next_round", "next-round"), ("nextround", "next-round")]
)
def test_an_unknown_command_names_the_nearest(capsys, typed, meant):
    code, out, error = run(capsys, typed)
    assert (code, out) == (2, "")
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in error


def test_an_unknown_command_like_none_lists_them(capsys):
    code, _, error = run(capsys, "xyz")
    assert code == 2
    assert all(name in error for name in COMMANDS)


def test_wrong_usage_is_2(capsys, learned):
    folder = learned.workspace.folder
    for arguments in (
        ["status", "--wrkspace", folder],
        ["next-round", "-w", folder, "--accept-partial", "0"],
        ["next-round", "-w", folder, "--accept-partial", "1.5"],
        ["predict", "-w", folder],
        ["oracle", "-w", folder, "--labels", folder / "nowhere"],
        ["-w", folder],
    ):
        code, out, error = run(capsys, *arguments)
        assert (code, out) == (2, ""), arguments
        assert "Error: " in error


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--network", "enet", "--dataset", ".", "--out", ".", "--iterations", "1"),
        ("distill", "--teachers", "a=.", "--student", "enet", "--dataset", ".", "--out", "."),
        ("fit-temperatures", "--teachers", "a=.", "--dataset", "."),
        ("fit-crf", "-w", "."),
        ("oracle", "-w", ".", "--labels", "."),
    ],
)
@pytest.mark.parametrize("seed", ["-1", str(2**31), "9" * 20])
def test_seeds_are_what_every_generator_takes(capsys, command, seed):
    code, out, error = run(capsys, *command, f"--seed={seed}")
    assert (code, out) == (2, "")
    assert f"{seed} is not in the range 0<=x<=2147483647" in error


def test_wrong_usage_is_json_too(capsys, learned):
    code, out, error = run(capsys, "status", "--wrkspace", learned.workspace.folder, "--json")
    assert (code, error) == (2, "")
    document = json.loads(out)
    assert (document["error"], document["exit_code"]) == ("NoSuchOption", 2)
    assert "--wrkspace" in document["message"]


def test_no_workspace_is_2(capsys, tmp_path):
    code, out, error = run(capsys, "status", "--workspace", tmp_path)
    assert (code, out) == (2, "")
    assert error.startswith("controller: ") and str(tmp_path) in error
    code, out, _ = run(capsys, "status", "--workspace", tmp_path, "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 2
    assert document["error"] == "ConfigurationError"
    assert str(tmp_path) in document["message"]


def test_status(capsys, learned):
    code, out, error = run(capsys, "status", "-w", learned.workspace.folder)
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"Model in use: {learned.workspace.models.current()}"
    assert lines[2].split()[:4] == ["round", "state", "images", "regions"]
    assert lines[4].split()[:2] == ["0", "closed"]
    code, out, _ = run(capsys, "status", "-w", learned.workspace.folder, "--json")
    document = json.loads(out)
    assert [row["round"] for row in document["rounds"]] == [0]
    assert (document["problems"], "open_group" in document) == ([], False)


def test_status_without_label_studio_shows_what_the_workspace_knows(capsys, asked):
    code, out, error = run(capsys, "status", "-w", asked.workspace.folder)
    assert (code, error) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[4:6]] == [["0", "closed"], ["1", "open"]]
    said = "Round 1 is open; how much is answered cannot be seen: "
    assert out.splitlines()[-1].startswith(said) and "LABEL_STUDIO" in out

    code, out, _ = run(capsys, "status", "-w", asked.workspace.folder, "--json")
    document = json.loads(out)
    assert [row["state"] for row in document["rounds"]] == ["closed", "open"]
    assert (code, document["open_group"]["round"]) == (0, 1)
    assert "LABEL_STUDIO" in document["open_group"]["error"]


def test_the_workspace_may_come_from_the_environment(capsys, learned, monkeypatch):
    monkeypatch.setenv("TENTH_WORKSPACE", str(learned.workspace.folder))
    assert run(capsys, "status")[0] == 0


def test_init_makes_a_workspace_and_prints_it(capsys, fresh, tmp_path):
    arguments = ["init", "-w", tmp_path / "w", "--dataset", fresh, "--offline", "--json"]
    code, out, _ = run(capsys, *arguments, "--set", "data.initial_count=2")
    assert code == 0
    assert json.loads(out)["pool_images"] == 4
    code, _, error = run(capsys, *arguments, "--set", "selection.budgt=1")
    assert code == 2
    assert "budgt" in error or "budgt" in _


def test_dry_run(capsys, learned):
    code, out, _ = run(capsys, "next-round", "-w", learned.workspace.folder, "--dry-run")
    assert code == 0
    assert out.splitlines()[:2] == ["Would do:", "  round 1: score"]
    code, out, _ = run(capsys, "next-round", "-w", learned.workspace.folder, "--dry-run", "--json")
    assert json.loads(out)["would"][0] == "round 1: score"


def test_waiting_is_3(capsys, learned, monkeypatch):
    """The whole message comes from a running Label Studio in the system tests."""

    def waiting(*_, **__):
        raise WaitingForAnnotators("waiting for annotators")

    monkeypatch.setattr("controller.round.next_round", waiting)
    code, out, error = run(capsys, "next-round", "-w", learned.workspace.folder)
    assert (code, out, error) == (3, "", "controller: waiting for annotators\n")


def test_label_studio_out_of_reach_is_4(learned):
    """In a process of its own, with all its attempts."""
    toml = learned.workspace.folder / "controller.toml"
    toml.write_text(toml.read_text().replace("project = 0", "project = 1"))
    environment = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "0" * 40}
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", "next-round", "-w", str(learned.workspace.folder), "--json"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    document = json.loads(done.stdout)
    assert (document["error"], document["exit_code"]) == ("LabelStudioUnreachable", 4)
    assert "0" * 40 not in done.stdout + done.stderr


def test_bad_data_is_5(capsys, learned, tmp_path):
    folder = learned.workspace.folder
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    code, _, error = run(capsys, "predict", "-w", folder, "--out", tmp_path / "out", broken)
    assert code == 5
    assert str(broken) in error
    code, _, error = run(capsys, "evaluate", "-w", folder, "--version", "v0099-00000000")
    assert code == 5 and "v0099-00000000" in error


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "models/a"),
            "models/a cannot be read or written: No",
        ),
        (PermissionError(errno.EACCES, "Permission denied", Path("w")), "w cannot be read or written: Perm"),
        (OSError("something else"), "The system refused: something else"),
    ],
)
def test_what_the_system_refuses_is_6(capsys, learned, monkeypatch, refusal, said):
    def refuse(*_, **__):
        raise refusal

    monkeypatch.setattr("controller.retrain.retrain", refuse)
    code, out, error = run(capsys, "train", "-w", learned.workspace.folder)
    assert (code, out) == (6, "")
    assert error.startswith(f"controller: {said}")
    code, out, error = run(capsys, "train", "-w", learned.workspace.folder, "--json")
    document = json.loads(out)
    assert (document["error"], document["exit_code"], code, error) == ("StorageError", 6, 6, "")


def test_a_result_that_cannot_be_written_is_2_before_the_work(capsys, fresh, learned, monkeypatch):
    worked = []
    for long in ("predict.write_png", "standalone.read_splits", "distill.read_material"):
        monkeypatch.setattr(f"controller.{long}", lambda *_: worked.append(1))
    out = ("--out", fresh / "classes.json" / "x")
    network = (
        "--dataset",
        fresh,
        "--iterations",
        1,
        "--option",
        "encoder=resnet18",
        "--option",
        "width=0.125",
    )
    for command in (
        ("predict", "-w", learned.workspace.folder, fresh / "test" / "images"),
        ("train", "--network", "icnet", *network),
        ("distill", "--student", "icnet", "--teachers", "a=b", *network),
    ):
        code, _, error = run(capsys, *command, *out)
        assert code == 2, command
        assert f"The results cannot be written into {out[1]}: Not a directory" in error
    assert worked == []


def test_another_command_at_work_is_2(capsys, learned):
    with learned.workspace.lock():
        code, _, error = run(capsys, "train", "-w", learned.workspace.folder)
    assert code == 2
    assert "in use by" in error


def test_interrupted_is_130(capsys, learned, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("controller.retrain.retrain", interrupted)
    code, _, error = run(capsys, "train", "-w", learned.workspace.folder)
    assert code == 130
    assert "the same command continues where this one stopped" in error
    code, out, error = run(capsys, "train", "-w", learned.workspace.folder, "--json")
    document = json.loads(out)
    assert (document["error"], document["exit_code"], code, error.strip()) == ("Interrupted", 130, 130, "")
    assert "the same command continues where this one stopped" in document["message"]


def test_an_interrupted_simulation_names_the_option_that_goes_on(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    code, _, error = run(capsys, "--verbose", "simulate", "--dataset", "camvid")
    assert (code, "the same command with --resume continues" in error) == (130, True)
    assert "the same command continues" in run(capsys, "simulate", "--resume")[2]
    assert "the same command continues" in run(capsys, "train")[2]


def test_train_goes_on_from_the_version_in_use(capsys, learned):
    first = learned.workspace.models.current()
    code, out, _ = run(capsys, "train", "-w", learned.workspace.folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["version"] == learned.workspace.models.current() != first
    assert set(document) == {"version", "val", "test"}


def test_evaluate(capsys, learned):
    code, out, _ = run(capsys, "evaluate", "-w", learned.workspace.folder, "--split", "val")
    assert code == 0
    assert out.splitlines()[0].split() == ["class", "IoU"]
    assert learned.workspace.models.current() in out.splitlines()[-1]
    code, out, _ = run(capsys, "evaluate", "-w", learned.workspace.folder, "--json")
    recorded = learned.workspace.models.info(str(learned.workspace.models.current())).metrics["test"]
    assert json.loads(out)["miou"] == pytest.approx(recorded["miou"])


def test_predict_writes_ids_and_colours(capsys, learned, tmp_path):
    from tenth.segmentation.images import read_image, read_labels

    images = learned.dataset.root / "test" / "images"
    code, out, _ = run(capsys, "predict", "-w", learned.workspace.folder, "--out", tmp_path, images, "--json")
    assert code == 0
    (path,) = json.loads(out)["labels"]
    labels = read_labels(path, len(learned.classes))
    colours = read_image(Path(path).with_suffix(".color.png"))
    assert (colours == learned.classes.colorize(labels)).all()


def test_a_killed_round_is_said_to_go_on(capsys, learned):
    begin(learned, 1)
    run_steps(learned, 1, [("score", lambda *_: {})])
    code, out, _ = run(capsys, "next-round", "-w", learned.workspace.folder, "--dry-run")
    assert (code, out) == (0, "Would do:\n  round 1: choose\n  round 1: push\n")


def test_commands_are_click_commands():
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None and command.name == name
