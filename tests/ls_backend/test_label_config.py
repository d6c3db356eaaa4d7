import pytest
from backend_world import CLASSES

from ls_backend.label_config import OURS, brush_control
from tenth.errors import DataError
from tenth.label_studio.configs import image_config


def test_our_own_config_and_none_give_the_same_names():
    control = brush_control(image_config(CLASSES))
    assert (control.name, control.picture, control.key) == (OURS.name, OURS.picture, OURS.key)
    assert control.labels == set(CLASSES.names)
    assert brush_control("  ") == OURS


def test_the_first_brush_on_a_picture_counts():
    control = brush_control(
        """<View><Text name="t" value="$t"/><Image name="i" value="$url"/>
        <BrushLabels name="on_text" toName="t"><Label value="x"/></BrushLabels>
        <BrushLabels name="b" toName="i"><Label value="Car" alias="car"/><Label value="road"/></BrushLabels>
        </View>"""
    )
    assert (control.name, control.picture, control.key) == ("b", "i", "url")
    assert control.labels == {"car", "road"}


def test_masks_of_unknown_labels_are_left_out():
    control = brush_control(
        '<View><Image name="i" value="$u"/>'
        '<BrushLabels name="b" toName="i"><Label value="a"/></BrushLabels></View>'
    )
    entries = [
        {"from_name": "label", "to_name": "image", "value": {"brushlabels": [name]}} for name in ("a", "z")
    ]
    fitted = control.fit({"result": entries, "score": 0.5, "model_version": "v"})
    assert fitted["result"] == [{"from_name": "b", "to_name": "i", "value": {"brushlabels": ["a"]}}]
    assert (fitted["score"], fitted["model_version"]) == (0.5, "v")


@pytest.mark.parametrize("config", ["<View>", '<View><Image name="i" value="$i"/></View>', "no xml"])
def test_configs_without_a_brush_are_refused(config: str):
    with pytest.raises(DataError):
        brush_control(config)
