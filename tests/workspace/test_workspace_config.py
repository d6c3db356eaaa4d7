"""controller.toml: what it refuses and how it says so."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tenth.errors import ConfigurationError
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.networks import ENCODERS
from tenth.segmentation.training import TrainingOptions
from tenth.workspace.config import Config
from tenth.workspace.config_text import default_toml, set_value

FILE = Path("/somewhere/controller.toml")
SECTIONS = {name: type(getattr(Config(), name)) for name in Config.model_fields}


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Config.parse(text, FILE)
    assert str(FILE) in str(caught.value)
    return str(caught.value)


def test_an_empty_file_gives_the_defaults():
    config = Config.parse("", FILE)
    assert (config.training.batch_size, config.training.crop, config.selection.budget) == (8, None, 0.1)
    assert config.file == FILE


def test_the_default_file_parses_to_the_defaults():
    assert Config.parse(default_toml(), FILE) == Config.parse("", FILE)
    assert {name: set(values) for name, values in tomllib.loads(default_toml()).items()} == {
        name: set(section.model_fields) for name, section in SECTIONS.items()
    }


@pytest.mark.parametrize(("name", "section"), SECTIONS.items())
def test_every_setting_is_documented(name: str, section: type[BaseModel]):
    lines = default_toml().splitlines()
    start = lines.index(f"[{name}]")
    assert lines[start - 1].startswith("# ")
    for key, field in section.model_fields.items():
        where = next(n for n in range(start, len(lines)) if lines[n].startswith(f"{key} = "))
        assert lines[where - 1].startswith("# "), f"[{name}] {key} has no comment"
        assert field.description and field.description.endswith("."), f"[{name}] {key} needs a description"


def test_every_encoder_there_is_stands_in_its_description():
    description = str(SECTIONS["network"].model_fields["encoder"].description)
    assert all(f"'{name}'" in description for name in ENCODERS.names())


def test_defaults_are_those_of_the_code_they_configure():
    crf = {name: getattr(CRFOptions(), name) for name in SECTIONS["crf"].model_fields}
    assert Config().crf.model_dump() == crf
    settings = Config().training.model_dump(exclude={"initial_iterations", "round_iterations", "pool"})
    options = TrainingOptions(iterations=1)
    assert settings == {name: getattr(options, name) for name in settings}


def test_default_values_can_be_replaced():
    text = default_toml(data={"dataset": "/data/x"}, training={"crop": (64, 96)}, superpixels={"count": 300})
    config = Config.parse(text, FILE)
    assert config.data.dataset == "/data/x"
    assert config.training.crop == (64, 96)
    assert (config.superpixels.count, config.superpixels.size) == (300, 0)
    with pytest.raises(ConfigurationError, match="batch_size"):
        default_toml(training={"batchsize": 3})


@given(st.text(min_size=1, max_size=50))
def test_any_text_survives_the_default_file(title: str):
    assert Config.parse(default_toml(label_studio={"title": title}), FILE).label_studio.title == title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[training]\nbatchsize = 4", ["[training]", "'batchsize'", "nearest one is 'batch_size'"]),
        ("[selection]\nBudget = 0.2", ["[selection]", "'Budget'", "nearest one is 'budget'"]),
        ("[trainng]\nbatch_size = 4", ["[trainng]", "nearest section is [training]"]),
        ("[label-studio]\nproject = 4", ["[label-studio]", "nearest section is [label_studio]"]),
        ("[training]\nbudget = 0.1", ["[training]", "'budget'", "belongs to [selection]"]),
        ("batch_size = 4", ["batch_size = 4", "below [training]"]),
        ("training = 4", ["must be a table", "[training]"]),
        ("[[training]]\nseed = 4", ["must be a table", "[training]"]),
        ("nonsense = 4", ["'nonsense'", "nearest section"]),
    ],
)
def test_unknown_keys_and_sections_are_refused_with_the_nearest(text: str, expected: list[str]):
    message = refusal(text)
    assert [part for part in expected if part not in message] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[training]\nbatch_size = 0", ["batch_size = 0", "at least 1", "batch_size = 8, the default"]),
        ("[training]\nlearning_rate = -0.5", ["-0.5", "above 0", "at most 10", "0.04"]),
        ("[training]\nlearning_rate = nan", ["nan", "finite"]),
        ("[training]\nmomentum = 1.0", ["1.0", "below 1"]),
        ("[training]\nbatch_size = true", ["true", "whole number"]),
        ("[training]\nbatch_size = 2.5", ["2.5", "whole number"]),
        ("[training]\nflip = 'yes'", ["'yes'", "true or false"]),
        ("[training]\nclass_weighting = 'freqency'", ["'freqency'", "nearest is 'frequency'"]),
        ("[training]\ncrop = [3]", ["[3]", "[height, width]"]),
        ("[training]\ncrop = [true, 3]", ["two whole numbers"]),
        ("[training]\nscale = [2.0, 1.0]", ["[2.0, 1.0]", "the smaller first"]),
        ("[training]\npool = true", ["[training] pool = true", "Set consistency"]),
        ("[training]\npatience = 3", ["[training] patience = 3", "Set validate_every"]),
        ("[training]\ndevice = 'gpu'", ["'gpu'", "'cuda'"]),
        ("[data]\ndataset = ''", ["dataset = ''", "not be empty"]),
        ("[data]\ninitial_count = -2", ["-2", "at least -1"]),
        ("[network]\nweights = 'https://host/w.pth'", ["URL", "Set weights_sha256"]),
        ("[network]\nweights_sha256 = 'abc'", ["'abc'", "64 hexadecimal digits"]),
        ("[selection]\nbudget = 1.5", ["1.5", "above 0 and at most 1", "Share of an image's pixels"]),
        ("[superpixels]\ncount = 5\nsize = 6", ["count = 5 and size = 6", "exactly one"]),
        ("[superpixels]\nsize = 0", ["count = 0 and size = 0", "neither", "exactly one"]),
        ("[distill]\nteachers = []", ["[]", "at least one text", "teachers = ['new'], the default"]),
        ("[distill]\nteachers = ['new', 'new']", ["'new' stands in it twice"]),
        ("[distill]\ntemperatures = [0]", ["numbers above 0"]),
        ("[distill]\ntemperatures = [4.0, 3.0]", ["2 numbers for 1 entries", "Give one for each"]),
        ("[labels]\npropagate = true", ["propagate = true spreads", "pseudo = true"]),
        ("[distill]\nclass_weighted = false", ["class_weighted = False is of form = 'kl'", "'dist'"]),
        ("[distill]\nstudent_options = 3", ["student_options = 3", "table", "student_options = {}"]),
        ("[distill]\nmax_loss = 2", ["at most 1", "still replace it"]),
        ("[label_studio]\ncrop_store = 'bucket'", ["Set crop_url"]),
        ("[label_studio]\ncrop_store = 'local-files'", ["Set crop_folder"]),
        ("[label_studio]\ntitle = '" + "x" * 51 + "'", ["at most 50 characters"]),
        ("[label_studio]\nurl = 'localhost:8080'", ["'localhost:8080'", "http://127.0.0.1:8080"]),
        ("[backend]\nimage_hosts = ['http://localhost:9000']", ["without http://", '["localhost:9000"]']),
        ("[database]\nurl = 'mysql://host/x'", ["mysql", "postgresql://"]),
        ("[database]\nurl = 'nothing'", ["'nothing'", "not a URL"]),
        ("[database]\nurl = 'sqlite://'", ["shared", "Name a file"]),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_named_with_reason_and_remedy(text: str, expected: list[str]):
    with pytest.raises(ConfigurationError) as caught:
        Config.parse(text, FILE)
    assert [part for part in expected if part not in str(caught.value)] == []


def test_all_mistakes_are_told_at_once():
    message = refusal("[training]\nbatch_size = 0\nseeed = 1\n[selection]\nbudget = 2")
    assert len(message.splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "[database]\nurl = 'postgresql://me:hunter2@host/x'",
        "[label_studio]\nurl = 'http://me:hunter2@host'",
        "[backend]\nurl = 'http://me:hunter2@host'",
    ],
)
def test_passwords_are_refused_and_not_repeated(text: str):
    assert "hunter2" not in refusal(text)


def test_broken_missing_and_unreadable_files(tmp_path: Path):
    file = tmp_path / "controller.toml"
    with pytest.raises(ConfigurationError, match="controller init"):
        Config.load(file)
    file.write_text("[training\n")
    with pytest.raises(ConfigurationError, match=r"controller\.toml is not valid TOML.*line 1"):
        Config.load(file)
    file.write_bytes(b'title = "\xff"')
    with pytest.raises(ConfigurationError, match="UTF-8"):
        Config.load(file)


def test_options_of_a_student_are_a_table_in_one_line(tmp_path: Path):
    options = {"width": 0.5, "encoder": "resnet18", "an odd key": True}
    text = default_toml(distill={"student": "icnet", "student_options": options, "teachers": ["new", "a=b"]})
    distill = Config.parse(text, FILE).distill
    assert (distill.student_options, distill.teachers) == (options, ("new", "a=b"))
    file = tmp_path / "controller.toml"
    file.write_text(text)
    set_value(file, "distill", "student_options", {"width": 0.25})
    assert Config.load(file).distill.student_options == {"width": 0.25}
    assert Config().distill.student == ""


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "controller.toml").write_text(
        "[data]\ndataset = '../scenes'\npool = 'pool'\n[network]\nweights = 'w.safetensors'\n"
        "[label_studio]\ncrop_folder = 'crops'\n[database]\nurl = 'sqlite:///sub/x.db'\n"
    )
    monkeypatch.chdir(tmp_path)
    config = Config.load("workspace/controller.toml")
    assert config.data.dataset == str(tmp_path / "scenes")
    assert config.data.pool == str(folder / "pool")
    assert config.network.weights == str(folder / "w.safetensors")
    assert config.label_studio.crop_folder == str(folder / "crops")
    assert config.database.url == f"sqlite:///{folder}/sub/x.db"


def test_urls_and_words_stay_as_they_are():
    text = "[data]\npool = 's3://bucket/pool'\n[label_studio]\ncrop_url = 's3://bucket/crops'\n"
    config = Config.parse(text, FILE)
    assert (config.data.pool, config.label_studio.crop_url) == ("s3://bucket/pool", "s3://bucket/crops")
    assert config.network.weights == "imagenet"
    assert Config.parse("[network]\nweights = ''", FILE).network.weights == ""


def test_set_value_keeps_everything_else(tmp_path: Path):
    file = tmp_path / "controller.toml"
    text = "# mine\n[label_studio] # the server\n# which\nproject = 0 # none\n\n[selection]\nseed = 1\n"
    file.write_text(text)
    set_value(file, "label_studio", "project", 7)
    assert file.read_text() == text.replace("project = 0 # none", "project = 7")
    set_value(file, "selection", "budget", 0.2)
    set_value(file, "backend", "url", "http://127.0.0.1:9090")
    config = Config.load(file)
    assert (config.label_studio.project, config.selection.seed, config.selection.budget) == (7, 1, 0.2)
    assert config.backend.url == "http://127.0.0.1:9090"
    assert file.read_text().startswith("# mine\n")


def test_set_value_refuses_and_leaves_the_file(tmp_path: Path):
    file = tmp_path / "controller.toml"
    file.write_text(default_toml())
    for section, key, value in [
        ("selection", "budget", 2),
        ("selection", "buget", 0.1),
        ("selecton", "seed", 1),
    ]:
        with pytest.raises(ConfigurationError):
            set_value(file, section, key, value)
    assert file.read_text() == default_toml()
