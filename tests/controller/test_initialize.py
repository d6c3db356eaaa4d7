"""Making a workspace: settings from the command line, what is there stays."""

import pytest

from controller.initialize import initialize, parse_setting
from controller.loop import Loop
from controller.pool import images_with_role
from tenth.errors import ConfigurationError, DataError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("selection.group_size=50", ("selection", "group_size", 50)),
        ("selection.budget=0.05", ("selection", "budget", 0.05)),
        ("labels.refresh=false", ("labels", "refresh", False)),
        ("training.crop=[32, 48]", ("training", "crop", [32, 48])),
        ("network.encoder=resnet18", ("network", "encoder", "resnet18")),
        ('network.encoder="resnet18"', ("network", "encoder", "resnet18")),
        ("network.weights=", ("network", "weights", "")),
        ("data.pool=s3://bucket/a=b", ("data", "pool", "s3://bucket/a=b")),
        (" network.name = icnet", ("network", "name", " icnet")),
    ],
)
def test_a_setting(text, value):
    section, key, parsed = parse_setting(text)
    assert (section, key) == value[:2]
    assert parsed == value[2] if not isinstance(parsed, str) else parsed.strip() == value[2].strip()
    assert type(parsed) is type(value[2])


@pytest.mark.parametrize("text", ["", "group_size=50", "selection.group_size", ".a=1", "a.=1", "=1"])
def test_what_is_no_setting(text):
    with pytest.raises(ConfigurationError, match=r"SECTION\.KEY=VALUE"):
        parse_setting(text)


def test_a_new_workspace(fresh, tmp_path):
    folder = tmp_path / "streets"
    done = initialize(
        folder,
        dataset=fresh,
        title="2026",  # a title is a text, whatever it looks like
        settings=["data.initial_count=2", "selection.group_size=3"],
        offline=True,
    )
    assert done == {
        "workspace": str(folder),
        "classes": len(Loop.open(folder).classes),
        "initial_images": 2,
        "pool_images": 4,
    }
    loop = Loop.open(folder)
    assert (loop.config.selection.group_size, loop.config.label_studio.title) == (3, "2026")
    with loop.workspace.database.reading() as session:
        assert len(images_with_role(session, "initial")) == 2
        assert len(images_with_role(session, "pool")) == 4


def test_a_second_call_changes_only_what_it_names(fresh, tmp_path):
    folder = tmp_path / "streets"
    initialize(folder, dataset=fresh, settings=["data.initial_count=2"], offline=True)
    text = (folder / "controller.toml").read_text()
    assert initialize(folder, offline=True)["pool_images"] == 4
    assert (folder / "controller.toml").read_text() == text
    initialize(folder, settings=["selection.budget=0.05"], offline=True)
    assert (folder / "controller.toml").read_text() == text.replace("budget = 0.1\n", "budget = 0.05\n")


def test_what_cannot_be_used_leaves_nothing_behind(fresh, tmp_path):
    folder = tmp_path / "streets"
    with pytest.raises(ConfigurationError, match="needs a data set"):
        initialize(folder, offline=True)
    with pytest.raises(DataError):
        initialize(folder, dataset=tmp_path / "nowhere", offline=True)
    with pytest.raises(ConfigurationError, match="group_size"):
        initialize(folder, dataset=fresh, settings=["selection.group_sise=3"], offline=True)
    assert not (folder / "controller.toml").exists()


def test_a_wrong_setting_is_one_of_the_new_workspace(fresh, tmp_path):
    file = tmp_path / "streets" / "controller.toml"
    for setting in ("foo.bar=1", "selection.budget=2"):
        with pytest.raises(ConfigurationError) as refused:
            initialize(file.parent, dataset=fresh, settings=[setting], offline=True)
        assert str(file) in str(refused.value)


def test_a_strategy_that_nobody_can_answer_is_refused_before_a_project_is_made(fresh, tmp_path):
    folder = tmp_path / "pixels"
    with pytest.raises(ConfigurationError, match=r"'entropy' asks about single pixels.*'sp'"):
        initialize(folder, dataset=fresh, settings=["selection.strategy=entropy"])
    assert Loop.open(folder).config.label_studio.project == 0
    # to simulate it, without people, is fine
    assert "project" not in initialize(folder, offline=True)


def test_answers_that_could_not_be_merged_are_refused_before_a_project_is_made(fresh, tmp_path):
    folder = tmp_path / "spread"
    settings = ["labels.pseudo=true", "labels.propagate=true", "selection.strategy=sp"]
    with pytest.raises(ConfigurationError, match=r"strategy = 'sp' in .*: labels.propagate"):
        initialize(folder, dataset=fresh, settings=settings)
    assert Loop.open(folder).config.label_studio.project == 0


def test_more_labelled_images_than_there_are(fresh, tmp_path):
    with pytest.raises(DataError, match=r"initial_count is 7, but only 6"):
        initialize(tmp_path / "w", dataset=fresh, settings=["data.initial_count=7"], offline=True)
