"""Which of our packages may import which: arrows point one way."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = ("tenth", "controller", "ls_backend", "demo")
VERSION = ("tenth", "tenth.__version__")

ALLOWED = {
    "tenth/segmentation": ("tenth.segmentation", "tenth.errors", "tenth.progress", "tenth.registry"),
    "tenth/label_studio": (
        "tenth.label_studio",
        "tenth.segmentation",
        "tenth.errors",
        "tenth.progress",
        "tenth.registry",
        "tenth.resources",
    ),
    "tenth/workspace": (
        "tenth.workspace",
        "tenth.segmentation",
        "tenth.errors",
        "tenth.progress",
        "tenth.registry",
        "tenth.resources",
    ),
    "controller": ("controller", "tenth"),
    "ls_backend": ("ls_backend", "tenth"),
}


def imported(path: Path) -> set[str]:
    """Return what a file imports anywhere in it, as dotted names; ``from a import b`` is ``a.b``."""
    package = list(path.relative_to(REPOSITORY).with_suffix("").parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "import_module",
            "importlib.import_module",
        ):
            argument = node.args[0]
            text = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.add(text.value.rstrip("."))
    return found


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def wrong_imports(folder: str) -> list[str]:
    wrong = []
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for name in sorted(imported(path)):
            if within(name, OURS) and name not in VERSION and not within(name, ALLOWED[folder]):
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {name}")
    return wrong


@pytest.mark.parametrize("folder", ALLOWED)
def test_arrows(folder: str) -> None:
    assert len(list((REPOSITORY / folder).rglob("*.py"))) > 5
    assert wrong_imports(folder) == []


def test_the_root_of_the_core_imports_none_of_its_rooms() -> None:
    rooms = (
        "tenth.segmentation",
        "tenth.label_studio",
        "tenth.workspace",
        "controller",
        "ls_backend",
        "demo",
    )
    for path in (REPOSITORY / "tenth").glob("*.py"):
        assert not [name for name in imported(path) if within(name, rooms)], path


def test_a_wrong_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "REPOSITORY", tmp_path)
    package = tmp_path / "tenth" / "segmentation" / "deep"
    package.mkdir(parents=True)
    (package / "a.py").write_text(
        "def f():\n    from ...workspace import models\n    from tenth import errors\n"
    )
    (package / "b.py").write_text("import torch, controller.round as r\n")
    (package / "c.py").write_text(
        "from tenth import workspace\nfrom . import a\nfrom ..crf import dense_crf\n"
    )
    assert wrong_imports("tenth/segmentation") == [
        "tenth/segmentation/deep/a.py imports tenth.workspace.models",
        "tenth/segmentation/deep/b.py imports controller.round",
        "tenth/segmentation/deep/c.py imports tenth.workspace",
    ]
