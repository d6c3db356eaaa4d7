"""The model store: versions whole or absent, altered ones noticed, publishers apart."""

import json
import multiprocessing
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import ClassSet, LabelClass
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace import provenance
from tenth.workspace.models import ModelStore

CLASSES = ClassSet(
    "tiny",
    tuple(LabelClass(n, name, (n, 2 * n, 90)) for n, name in enumerate(["sky", "road", "pole"])),
)
SPEC = NetworkSpec("icnet", 3, {"encoder": "resnet18", "width": 0.125, "weights": None})
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return SPEC.build()


def add(store: ModelStore, network, **training) -> str:
    return store.add(network, SPEC, CLASSES, metrics={}, parents=[], training=training)


def test_a_model_comes_back(store: ModelStore, network):
    network.train()
    before = datetime.now(UTC)
    version = store.add(
        network, SPEC, CLASSES,
        metrics={"miou": 0.5, "iou": {"sky": 0.5, "pole": float("nan")}}, parents=["v0001-00000000"],
        training={"iterations": 7}, input_size=(64, 96),
    )  # fmt: skip
    assert re.fullmatch(r"v0001-[0-9a-f]{8}", version)
    loaded = store.load(version)
    assert not loaded.network.training
    assert loaded.classes == CLASSES
    x = torch.rand(1, 3, 33, 50)
    network.eval()
    torch.testing.assert_close(loaded.network(x), network(x), rtol=0, atol=0)

    info = loaded.info
    assert (info.version, info.number, info.spec, info.classes) == (version, 1, SPEC, CLASSES)
    assert (info.input_size, info.parents) == ((64, 96), ("v0001-00000000",))
    assert info.metrics == {"miou": 0.5, "iou": {"sky": 0.5, "pole": None}}
    assert info.training == {"iterations": 7}
    assert info.digest.startswith(version[-8:])
    assert before <= info.created_at <= datetime.now(UTC)
    assert info.libraries["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"tenth", "python", "numpy"} <= set(info.libraries)
    assert sorted(path.name for path in (store.folder / version).iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]


def test_channels_last_and_shared_weights_are_stored(store: ModelStore, network):
    version = add(store, network.to(memory_format=torch.channels_last))
    state = store.load(version).network.state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)
    network.to(memory_format=torch.contiguous_format)


def test_loading_needs_no_initial_weights(store: ModelStore, network):
    spec = NetworkSpec("icnet", 3, {**SPEC.options, "weights": "/gone/weights.safetensors"})
    version = store.add(network, spec, CLASSES, metrics={}, parents=[], training={})
    assert store.load(version).info.spec == spec


def test_the_number_of_classes_has_to_agree(store: ModelStore, network):
    with pytest.raises(ConfigurationError, match=r"4 classes.*'tiny' has 3"):
        store.add(network, NetworkSpec("icnet", 4, {}), CLASSES, metrics={}, parents=[], training={})
    assert store.names() == []


def test_weights_of_another_network_do_not_fit(store: ModelStore, network):
    spec = NetworkSpec("icnet", 3, {**SPEC.options, "width": 0.25})
    version = store.add(network, spec, CLASSES, metrics={}, parents=[], training={})
    with pytest.raises(DataError, match="does not fit network 'icnet'"):
        store.load(version)


def test_the_same_weights_twice_are_two_versions(store: ModelStore, network):
    first, second = add(store, network), add(store, network)
    assert first != second
    assert store.names() == [first, second]


def test_versions_are_sorted_by_number(store: ModelStore, network):
    first = add(store, network)
    for number in (10000, 9999, 2):
        (store.folder / first).rename(store.folder / f"v{number:04d}-{first[-8:]}")
        first = add(store, network)
    numbers = [int(name[1:].split("-")[0]) for name in store.names()]
    assert numbers == sorted(numbers)
    assert numbers[-1] > 10000
    assert [info.number for info in store.readable()] == numbers


def test_a_damaged_version_is_passed_over(store: ModelStore, network):
    first, second, third = (add(store, network) for _ in range(3))
    (store.folder / second / "model.json").write_text("{")
    assert [info.version for info in store.readable()] == [first, third]
    assert store.names() == [first, second, third]


def test_the_pointer(store: ModelStore, network):
    assert store.current() is None
    first, second = add(store, network), add(store, network)
    assert store.current() is None
    store.use(first)
    assert store.current() == first
    store.use(second)
    assert ModelStore(store.folder).current() == second
    for missing in ("v0009-00000000", "", "..", "../models", first[:-1]):
        with pytest.raises(DataError, match="no model version"):
            store.use(missing)
    assert store.current() == second
    (store.folder / "current").write_text("v0009-00000000\n")
    with pytest.raises(DataError, match="v0009-00000000"):
        store.current()


def flip_a_bit(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_rounds_go_on_with_the_version_in_use_unless_another_teaches_it(store: ModelStore, network):
    assert store.teacher() is None
    first, second = add(store, network), add(store, network)
    store.use(first)
    assert store.teacher() == first
    store.teach(second)
    assert (store.current(), store.teacher()) == (first, second)
    assert store.names() == [first, second]
    assert ModelStore(store.folder).teacher() == second
    with pytest.raises(DataError, match="no model version"):
        store.teach("v0009-00000000")
    assert store.teacher() == second
    store.teach(None)
    store.teach(None)
    assert store.teacher() == first


@pytest.mark.parametrize("place", [0, 40, -1])
def test_altered_weights_are_noticed(store: ModelStore, network, place: int):
    version = add(store, network)
    flip_a_bit(store.folder / version / "weights.safetensors", place)
    with pytest.raises(DataError, match=rf"{version}.*weights\.safetensors.*altered"):
        store.load(version)


def test_exchanged_or_edited_models_are_noticed(store: ModelStore, network):
    version = add(store, network)
    torch.manual_seed(2)
    other = add(store, SPEC.build())
    file = store.folder / version / "model.json"
    text = file.read_text()
    file.write_text(text.replace('"road"', '"rood"'))
    with pytest.raises(DataError, match="altered"):
        store.load(version)
    # A whole other model under this name fits in itself, but not the name.
    for name in ("model.json", "weights.safetensors"):
        (store.folder / version / name).write_bytes((store.folder / other / name).read_bytes())
    with pytest.raises(DataError, match="altered"):
        store.load(version)
    file.write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r"model\.json is damaged"):
        store.info(version)
    file.write_text("{}")
    with pytest.raises(DataError, match=r"model\.json is damaged"):
        store.load(version)


def test_missing_weights_and_pickles(store: ModelStore, network):
    version = add(store, network)
    path = store.folder / version / "weights.safetensors"
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="altered"):
        store.load(version)
    path.unlink()
    with pytest.raises(DataError, match=r"weights\.safetensors cannot be read"):
        store.load(version)


def test_a_failed_or_killed_publisher_leaves_no_version(
    store: ModelStore, network, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tenth.workspace.models.sync_folder", full)
        with pytest.raises(OSError, match="No space"):
            add(store, network)
    assert store.names() == []
    assert list((store.folder / ".tmp").iterdir()) == []

    killed = SPAWN.Process(target=_die_while_publishing, args=(store.folder,))
    killed.start()
    killed.join(120)
    assert killed.exitcode == 9
    assert store.names() == []
    assert len(list((store.folder / ".tmp").iterdir())) == 1
    reopened = ModelStore(store.folder)
    assert list((store.folder / ".tmp").iterdir()) == []
    assert reopened.names() == []
    assert add(reopened, network).startswith("v0001-")


def _die_while_publishing(folder: Path) -> None:
    from tenth.workspace import models

    models.sync_file = lambda _: os._exit(9)
    add(ModelStore(folder), SPEC.build())


def _publish(folder: Path, times: int) -> None:
    store = ModelStore(folder)
    network = SPEC.build()
    for _ in range(times):
        store.use(add(store, network, pid=os.getpid()))
        assert store.current() in store.names()


def test_concurrent_publishers_do_not_collide(store: ModelStore):
    workers = [SPAWN.Process(target=_publish, args=(store.folder, 3)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert [info.number for info in store.readable()] == list(range(1, 7))
    assert store.current() in store.names()
    for name in store.names():
        store.load(name)
    assert list((store.folder / ".tmp").iterdir()) == []


def test_the_commit_is_that_of_our_sources_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> str:
        return provenance._git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@y", *arguments) or ""

    package = tmp_path / "tenth"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance.tenth, "__file__", str(package / "__init__.py"))
    read = provenance.git_commit.__wrapped__
    git("init")
    assert read() is None, "a package that the repository around it does not track"
    git("add", ".")
    git("commit", "-m", "x")
    assert re.fullmatch(r"[0-9a-f]{40}", read() or "")
    (package / "__init__.py").write_text("changed")
    assert re.fullmatch(r"[0-9a-f]{40}-dirty", read() or "")


def test_model_json_is_plain(store: ModelStore, network):
    text = (store.folder / add(store, network) / "model.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["network"] == SPEC.to_dict()
