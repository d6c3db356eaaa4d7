"""Label a picture with an exported model: python run_exported.py model.onnx picture.jpg labels.png.

Needs onnxruntime, numpy and Pillow, nothing else.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, picture, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
about = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
height, width = about["input_size"]

image = ImageOps.exif_transpose(Image.open(picture)).convert("RGB")
pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
mean, std = np.array(about["mean"], np.float32), np.array(about["std"], np.float32)
inputs = ((pixels - mean) / std).transpose(2, 0, 1)[None]
probabilities = session.run(["probabilities"], {"image": inputs})[0][0]
resized = [Image.fromarray(p).resize(image.size, Image.Resampling.BILINEAR) for p in probabilities]
labels = np.argmax([np.asarray(p) for p in resized], axis=0).astype(np.uint8)

result = Image.fromarray(labels)  # class ids, shown in the classes' colours
result.putpalette([value for entry in about["classes"] for value in entry["color"]])
result.save(out)
for entry in about["classes"]:
    print(f"{entry['name']}: {(labels == entry['id']).mean():.1%}")
