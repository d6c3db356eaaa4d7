"""`controller fit-crf`: which images, going on after a kill, what is written."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rounds import make_workspace

from controller.cli import main
from controller.crf_trials import TrialLog
from controller.fit_crf import CachedImages, Search, fit_workspace, labelled_images
from controller.loop import Loop
from tenth.errors import ConfigurationError, WorkspaceBusy
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.crf_fit import Trial
from tenth.segmentation.crf_tally import Tally
from tenth.workspace.lock import exclusive_lock

SEARCH = Search(trials=4, mode="superpixel")


def stored(loop):
    return json.loads((loop.workspace.folder / "crf-fit.json").read_text(encoding="utf-8"))


def test_the_outcome_is_written(learned):
    done = fit_workspace(learned, SEARCH)
    assert stored(learned) == done
    assert done["version"] == learned.workspace.models.current()
    assert done["settings"] == vars(SEARCH)
    assert (done["split"], len(done["images"])) == ("initial", 2)
    assert "optimistic" in done["warning"]
    assert len(done["trials"]) == 4
    assert {len(row["folds"]) for row in [done["network"], *done["trials"]]} == {2}
    assert done["chosen_on_all"]["errors_found"] == max(row["errors_found"] for row in done["trials"])
    assert done["trials"][0]["w1"] == learned.config.crf.w1  # what is in use is among them
    assert done["chosen"]["mode"] == "superpixel"
    held_out = done["held_out"]
    assert held_out["score"] == pytest.approx(np.mean([fold["score"] for fold in held_out["folds"]]))
    raw = [fold["errors_found"] for fold in done["network"]["folds"]]
    assert held_out["network"] == pytest.approx(np.mean(raw))
    assert not (learned.workspace.folder / "arrays" / "crf-fit").exists()
    assert learned.config.crf == Loop.open(learned.workspace.folder).config.crf


def test_apply_changes_the_settings(learned):
    fit_workspace(learned, SEARCH, apply=True)
    crf = Loop.open(learned.workspace.folder).crf_options
    assert crf == CRFOptions(**stored(learned)["chosen"])
    assert crf.mode == "superpixel"


def without_time(document):
    cleaned = json.loads(json.dumps(document))
    for row in [cleaned["network"], cleaned["chosen_on_all"], *cleaned["trials"]]:
        del row["seconds_per_image"]
    del cleaned["seconds"]
    return cleaned


def test_a_killed_search_goes_on(learned, monkeypatch):
    whole = fit_workspace(learned, SEARCH)
    log = learned.workspace.folder / "crf-fit-superpixel.jsonl"
    lines = log.read_text().splitlines()
    assert len(lines) == 1 + 1 + 4  # what it was made on, the network, the candidates
    log.write_text("\n".join(lines[:3]) + "\n" + lines[3][: len(lines[3]) // 2])  # torn by the kill
    tried = []
    append = TrialLog.append
    monkeypatch.setattr(TrialLog, "append", lambda self, trial: (tried.append(trial), append(self, trial)))
    assert without_time(fit_workspace(learned, SEARCH)) == without_time(whole)
    assert len(tried) == 3
    assert [line[:40] for line in log.read_text().splitlines()] == [line[:40] for line in lines]

    # another measure and fewer trials need nothing new; other folds or smoothing do
    tried.clear()
    by_miou = fit_workspace(learned, replace(SEARCH, measure="miou", trials=2))
    assert tried == []
    assert len(by_miou["trials"]) == 2
    fit_workspace(learned, replace(SEARCH, folds=4, trials=1))
    assert len(tried) == 2


def test_interrupted_it_keeps_trials_and_probabilities(learned, monkeypatch):
    append = TrialLog.append

    def interrupt(self, trial):
        append(self, trial)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrialLog, "append", interrupt)
        with pytest.raises(SystemExit) as ended:
            main(["fit-crf", "-w", str(learned.workspace.folder), "--mode", "superpixel", "--trials", "2"])
    assert ended.value.code == 130
    assert not (learned.workspace.folder / "crf-fit.json").exists()
    cached = list((learned.workspace.folder / "arrays" / "crf-fit").rglob("*.npz"))
    assert len(cached) == 4  # probabilities and superpixels of two images

    def never(*_):
        raise AssertionError("predicted again")

    monkeypatch.setattr(Loop, "predictor", never)
    assert len(fit_workspace(learned, replace(SEARCH, trials=2))["trials"]) == 2


def test_cached_probabilities_are_the_models(learned):
    version = learned.workspace.models.current()
    _, samples = labelled_images(learned, 100)
    images = CachedImages(learned, version, samples, regions=False)
    expected = learned.predictor(version).probabilities(samples[1].load_image())
    for _ in range(2):  # predicted, then read
        given = images[1]
        assert given.probabilities.dtype == np.float16
        np.testing.assert_allclose(given.probabilities, expected, atol=1e-3)
        np.testing.assert_array_equal(given.truth, samples[1].load()[1])
        assert given.superpixels is None
    assert CachedImages(learned, version, samples, regions=True)[1].superpixels.shape == given.truth.shape


def test_images_of_the_validation_split_come_first(tmp_path):
    loop = make_workspace(tmp_path, scenes=(3, 3, 1))
    split, samples = labelled_images(loop, 100)
    assert (split, [sample.key.split("/")[0] for sample in samples]) == ("val", ["val"] * 3)
    assert len(labelled_images(loop, 2)[1]) == 2
    with pytest.raises(ConfigurationError, match="no model"):
        fit_workspace(loop, SEARCH)


def test_two_searches_at_once_are_refused(learned):
    with (
        exclusive_lock(learned.workspace.folder / "crf-fit.lock"),
        pytest.raises(WorkspaceBusy, match="in use"),
    ):
        fit_workspace(learned, SEARCH)


def test_a_log_of_something_else_is_begun_anew(tmp_path):
    trial = Trial(CRFOptions(w1=1.5), (Tally(np.array([[4, 1], [0, 2]]), 1, 0.25),), 0.5)
    TrialLog(tmp_path / "log", {"version": "v1"}).append(trial)
    (again,) = TrialLog(tmp_path / "log", {"version": "v1"}).trials
    assert (again.options, again.seconds) == (trial.options, 0.5)
    assert again.folds[0].to_dict() == trial.folds[0].to_dict()
    assert TrialLog(tmp_path / "log", {"version": "v2"}).trials == []
    assert TrialLog(tmp_path / "log", {"version": "v1"}).trials == []


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command(capsys, learned, as_json):
    arguments = ["fit-crf", "-w", str(learned.workspace.folder), "--mode", "superpixel", "--trials", "2"]
    main([*arguments, "--apply", *(["--json"] if as_json else [])])
    out = capsys.readouterr().out
    if as_json:
        document = json.loads(out)
        assert document == {**stored(learned), "applied": True}
        return
    lines = out.splitlines()
    assert lines[0].startswith("2 trials of the superpixel CRF on 2 images ('initial')")
    assert lines[2].split() == ["w1", "sigma_alpha", "sigma_beta", "mIoU", "errors", "found", "s/image"]
    assert lines[4].split()[:3] == ["–"] * 3  # the network
    assert len(lines[5].split()) == 6
    assert "On folds held out: " in out and "optimistic" in out
    assert 'mode = "superpixel"' in lines[-1] and "written to controller.toml" in lines[-1]
