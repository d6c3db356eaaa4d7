"""Generated pages are fresh, links lead somewhere, and the example of an extension works."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from controller.cli import COMMANDS, cli
from controller.strategies import STRATEGIES, ImageMaps, build_strategy
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.crops import CROP_STORES, build_crop_store
from tenth.segmentation.networks import NETWORKS, build_network
from tenth.segmentation.superpixels import slic

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh(tmp_path):
    # In a process of its own: click remembers how other tests called the commands.
    subprocess.run([sys.executable, DOCS / "generate.py", tmp_path], cwd=ROOT, check=True, env=environment())
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["cli.md", "configuration.md"]
    for name in written:
        assert (DOCS / name).read_text("utf-8") == (tmp_path / name).read_text("utf-8"), (
            f"{name} is stale: python docs/generate.py"
        )


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_every_command_has_help_and_an_example():
    for name in COMMANDS:
        command = cli.get_command(None, name)
        assert command.help, name
        assert f"controller {name}" in command.epilog, name


def test_every_variable_that_we_read_is_described():
    sources = [
        path.read_text()
        for folder in ("tenth", "controller", "ls_backend")
        for path in (ROOT / folder).rglob("*.py")
    ]
    read = {
        name
        for text in sources
        for name in re.findall(r'"(TENTH_[A-Z_]+|LABEL_STUDIO_(?:URL|API_KEY))"', text)
    }
    assert read
    assert read - set(generator().ENVIRONMENT) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    anchors = {}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            anchors.setdefault(file, headings(file))
            assert anchor in anchors[file], target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_ours_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"`((?:tenth|controller|ls_backend|tests|docker|docs|templates|demo)/[\w./-]+\.\w+)`", text
        )
    )
    made = {"demo/summary.json", "demo/report.html", "docker/.env"}
    assert [name for name in sorted(named - made) if not (ROOT / name).exists()] == []


def headings(page):
    lines = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.fixture
def example_package(tmp_path, monkeypatch):
    """Install the package of docs/architecture.md, as its own files say."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    project = tomllib.loads(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])["project"]
    (tmp_path / "my_tenth.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    info = tmp_path / "my_tenth-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(str(tmp_path))
    for registry in (STRATEGIES, NETWORKS, CROP_STORES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    importlib.invalidate_caches()
    return tmp_path


def test_the_example_of_an_extension_works(example_package):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (24, 32, 3), np.uint8)
    certain = np.zeros((3, 24, 32), np.float32)
    certain[0] = 1
    certain[:, :12] = 1 / 3
    superpixels = slic(image, count=8)
    strategy = build_strategy("close-calls", seed=1)
    scores = strategy.region_scores(ImageMaps(image, certain, superpixels))
    unsure = np.unique(superpixels[:6])
    sure = np.setdiff1d(np.unique(superpixels[14:]), np.unique(superpixels[:12]))
    assert scores[unsure].min() > scores[sure].max()

    network = build_network("tiny", 3, width=0.5)
    assert network(torch.zeros(2, 3, 24, 32)).shape == (2, 3, 24, 32)
    network.training_outputs(torch.zeros(2, 3, 24, 32))[0].logits.sum().backward()

    client = LabelStudioClient("http://label-studio", "0" * 40)
    folder = example_package / "crops"
    store = build_crop_store("web-folder", client=client, project=1, folder=str(folder), url="http://crops")
    assert store.put([("a.png", b"1")]) == {"a.png": "http://crops/a.png"}
    assert (folder / "a.png").read_bytes() == b"1"
