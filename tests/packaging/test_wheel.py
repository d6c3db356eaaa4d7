"""The wheel, as users install it: it has its templates and commands, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tenth

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, code: str, *arguments: str) -> str:
    """Run Python code that sees the wheel's content before anything of the source tree."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {code}", *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_it_holds_our_packages_and_the_templates_only(installed):
    top = {path.name for path in installed.iterdir()}
    assert top == {"tenth", "controller", "ls_backend", f"tenth-{tenth.__version__}.dist-info"}
    shipped = {path.name for path in (installed / "tenth" / "templates").iterdir()}
    assert shipped == {path.name for path in (ROOT / "templates").iterdir()}


def test_an_installed_program_reads_the_templates_that_came_with_it(installed):
    code = "import tenth, tenth.resources as r; print(tenth.__file__); print(r.template('region.xml'))"
    where, _, text = run(installed, code).partition("\n")
    assert Path(where).parent == installed / "tenth"
    assert text.strip() == (ROOT / "templates" / "region.xml").read_text().strip()


@pytest.mark.parametrize(
    ("command", "module"), [("controller", "controller.cli"), ("ls-backend", "ls_backend.cli")]
)
def test_the_commands_start(installed, command, module):
    points = (installed / f"tenth-{tenth.__version__}.dist-info" / "entry_points.txt").read_text()
    assert f"{command} = {module}:main" in points.splitlines()
    assert run(installed, f"from {module} import main; main()", "--help").startswith("Usage:")


def test_its_description_names_license_and_readme(installed):
    text = (installed / f"tenth-{tenth.__version__}.dist-info" / "METADATA").read_text(encoding="utf-8")
    assert "License-Expression: Apache-2.0" in text
    assert (ROOT / "README.md").read_text(encoding="utf-8").strip() in text
