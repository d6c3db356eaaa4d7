"""Publishing: one version a round, however often it is killed, and more training between rounds."""

import shutil

import pytest
import torch
from rounds import answer
from sqlalchemy import delete
from test_choose import changed

from controller.initialize import create_or_change
from controller.loop import Loop
from controller.publish import find_version, publish
from controller.retrain import Plan, plan_of, retrain
from controller.round import begin, close
from controller.steps import run_steps
from controller.train import new_network, start_network, trained_network
from tenth.errors import ConfigurationError, DataError
from tenth.workspace.database import Round, Step
from tenth.workspace.models import ModelStore


def trained_round(loop, number):
    """Leave a round as it is before "publish", with the weights of round 0."""
    begin(loop, number)
    weights = loop.workspace.folder / "training"
    shutil.copy(weights / "round-000.safetensors", weights / f"round-{number:03d}.safetensors")
    started_from = loop.workspace.models.current()
    run_steps(
        loop,
        number,
        [
            ("train", lambda *_: {"images": 4, "iterations": 2, "started_from": started_from}),
            ("evaluate", lambda *_: {"val": {"miou": 0.25}}),
        ],
    )


def test_the_version_says_where_it_comes_from(learned):
    first = learned.workspace.models.current()
    trained_round(learned, 1)
    version = publish(learned, 1)["version"]
    assert learned.workspace.models.current() == version != first
    info = learned.workspace.models.info(version)
    assert (info.parents, info.metrics["val"]["miou"], info.training["round"]) == ((first,), 0.25, 1)
    with learned.workspace.database.reading() as session:
        assert session.get_one(Round, 1).trained_version == version
    loaded = learned.workspace.models.load(version).network.state_dict()
    for name, tensor in trained_network(learned, "round-001").state_dict().items():
        torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=0)


def test_killed_between_add_and_use(learned, monkeypatch):
    first = learned.workspace.models.current()
    trained_round(learned, 1)

    def killed(store, version):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ModelStore, "use", killed)
        publish(learned, 1)
    assert learned.workspace.models.current() == first
    assert len(learned.workspace.models.names()) == 2
    version = publish(learned, 1)["version"]
    assert learned.workspace.models.names() == [first, version]
    assert learned.workspace.models.current() == version
    assert publish(learned, 1) == {"version": version}  # killed after everything, before it was recorded
    assert len(learned.workspace.models.names()) == 2


def test_training_again_starts_from_the_start_weights(learned):
    """And may therefore be of another architecture than what it replaces."""
    first = learned.workspace.models.current()
    create_or_change(learned.workspace.folder, None, [("network", "width", 0.25)])
    loop = Loop.open(learned.workspace.folder)
    with pytest.raises(ConfigurationError, match="a round goes on from it"):
        retrain(loop)
    version = retrain(loop, restart=True)["version"]
    assert loop.workspace.models.current() == version != first
    info = loop.workspace.models.info(version)
    assert info.parents == ()
    assert info.training["started_from"] is None
    assert info.training["iterations"] == loop.config.training.initial_iterations  # no round is closed yet
    assert info.spec.options["width"] == 0.25
    assert retrain(loop)["version"] != version  # goes on from it


def test_a_damaged_version_that_nobody_uses_is_passed_over(learned):
    first = learned.workspace.models.current()
    models = learned.workspace.models
    unused = shutil.copytree(models.folder / first, models.folder / "v0002-00000000")
    (unused / "model.json").write_text("{")
    trained_round(learned, 1)
    version = publish(learned, 1)["version"]
    assert models.current() == version != first
    assert publish(learned, 1) == {"version": version}  # behind the damaged one it is found
    assert models.names() == [first, unused.name, version]


@pytest.mark.parametrize("restart", [False, True])
def test_training_again_takes_as_long_as_all_rounds(asked, monkeypatch, restart):
    answer(asked, 1)
    close(asked, 1)
    asked_for = []

    class Seen(Exception):
        pass

    def fit_network(_loop, network, _images, iterations, name):
        asked_for.append((network.state_dict(), iterations, name))
        raise Seen

    monkeypatch.setattr("controller.retrain.fit_network", fit_network)
    with pytest.raises(Seen):
        retrain(asked, restart=restart)
    training = asked.config.training
    ((weights, iterations, name),) = asked_for
    expected = new_network(asked) if restart else start_network(asked)
    assert name == ("restart" if restart else "retrain")
    assert iterations == training.round_iterations + restart * training.initial_iterations
    assert all(torch.equal(weights[key], value) for key, value in expected.state_dict().items())


def test_after_a_cold_start_the_first_round_counts_as_the_initial_training(learned):
    with learned.workspace.database.session() as session:
        session.execute(delete(Step))
        session.execute(delete(Round))
    for number in (1, 2, 3):
        begin(learned, number)
        close(learned, number)
    training = learned.config.training
    plan = plan_of(learned, restart=True)
    assert plan == Plan("restart", None, 3, training.initial_iterations + 2 * training.round_iterations)


@pytest.mark.parametrize("restart", [False, True])
def test_a_retraining_killed_after_its_training_goes_on_behind_it(learned, monkeypatch, restart):
    first = learned.workspace.models.current()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("controller.retrain.measure", killed)
        retrain(learned, restart=restart)
    trained = trained_network(learned, "restart" if restart else "retrain").state_dict()
    assert learned.workspace.models.names() == [first]

    with monkeypatch.context() as patched:
        patched.setattr("controller.retrain.fit_network", killed)
        version = retrain(learned, restart=restart)["version"]
        with pytest.raises(KeyboardInterrupt):  # done; the next call is one more
            retrain(learned, restart=restart)
    published = learned.workspace.models.load(version).network.state_dict()
    assert all(torch.equal(published[name], trained[name]) for name in trained)
    assert learned.workspace.models.names() == [first, version]


def test_a_retraining_with_other_settings_begins_anew(learned, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("controller.retrain.measure", killed)
        retrain(learned)
    loop = changed(learned, training__learning_rate=0.001)
    monkeypatch.setattr("controller.retrain.fit_network", killed)
    with pytest.raises(KeyboardInterrupt):
        retrain(loop)


def test_versions_of_other_rounds_are_not_taken(learned):
    assert find_version(learned, 0) == learned.workspace.models.current()
    assert find_version(learned, 1) is None


def test_weights_that_are_missing(learned):
    with pytest.raises(DataError, match="the weights that the training of round-007 left, cannot be read"):
        trained_network(learned, "round-007")
    path = learned.workspace.folder / "training" / "round-000.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"round-000\.safetensors.* cannot be read"):
        trained_network(learned, "round-000")


def test_training_further_publishes_without_touching_the_rounds(learned):
    first = learned.workspace.models.current()
    result = retrain(learned)
    assert learned.workspace.models.current() == result["version"] != first
    info = learned.workspace.models.info(result["version"])
    assert info.parents == (first,)
    assert "round" not in info.training
    assert 0 <= result["val"] <= 1 and 0 <= result["test"] <= 1
    with learned.workspace.database.reading() as session:
        assert session.get_one(Round, 0).trained_version == first
    assert find_version(learned, 0) == first
