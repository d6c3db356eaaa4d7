"""What a user installs: the wheel holds the templates, and finds them without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("tenth-*.whl")
    return built


def test_it_holds_our_packages_and_all_templates(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        path.relative_to(REPOSITORY) for path in (REPOSITORY / "templates").rglob("*") if path.is_file()
    }
    assert {f"tenth/{path}" for path in templates} <= names
    assert len(templates) >= 3
    for package in ("tenth", "controller", "ls_backend"):
        modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / package).rglob("*.py")}
        assert modules <= names
    assert not [name for name in names if name.startswith(("tests/", "demo/", "shared/"))]


def test_the_installed_one_finds_its_templates(wheel: Path, tmp_path: Path):
    """Unpacked as pip unpacks it; run elsewhere, with nothing of the repository on the path."""
    site = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    program = (
        "import tenth, controller, ls_backend\n"
        "from tenth.label_studio.configs import check_config, image_config, region_config\n"
        "from tenth.resources import template\n"
        "from tenth.segmentation.scenes import SCENE_CLASSES\n"
        "assert check_config(region_config(SCENE_CLASSES), SCENE_CLASSES) == []\n"
        "assert SCENE_CLASSES.names[0] in image_config(SCENE_CLASSES)\n"
        "assert '<html' in template('report.html')\n"
        "print(tenth.__file__, controller.__file__, ls_backend.__file__)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONPATH"] = str(site)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(site / package / "__init__.py") for package in ("tenth", "controller", "ls_backend")
    ]


def test_its_scripts_start(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    text = archive.read(entry_points).decode()
    assert "controller = controller.cli:main" in text
    assert "ls-backend = ls_backend.cli:main" in text
