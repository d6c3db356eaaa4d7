"""Generated street scenes with exact ground truth: the data of the demo and of the pictures in the README."""

from tenth.segmentation.scenes.scene import generate_scene
from tenth.segmentation.scenes.vocabulary import SCENE_CLASSES
from tenth.segmentation.scenes.writing import write_scenes

__all__ = ["SCENE_CLASSES", "generate_scene", "write_scenes"]
