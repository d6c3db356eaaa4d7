"""Checks of this machine and of the workspace, without a network."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from sqlalchemy import func, select

from controller.doctor.check import CONFIGURATION, DATA, Check, Patient, Probe
from controller.loop import Loop
from controller.pool import as_sample, divide, left_to_ask
from tenth.segmentation.dataset import Sample
from tenth.workspace.database import Image
from tenth.workspace.secrets import backend_credentials, label_studio_credentials

# Of an asked image, at most: superpixels, label maps of two rounds, painted answers.
_BYTES_A_PIXEL = 24
# Soft labels of 19 classes, at the temperatures that are usual.
_SOFT_BYTES_A_PIXEL = 1
# The version, the round's weights, and the checkpoint with the optimizer's state.
_COPIES_OF_WEIGHTS = 5
_UNKNOWN_WEIGHTS = 100e6
_UNKNOWN_PIXELS = 2048 * 1024
_MARGIN = 3
_CV2_PACKAGES = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def cv2_clash(_: Patient, name: str) -> Check:
    """See that one package alone owns ``cv2``: a second one silently overwrites the first one's files."""
    versions = {package: installed(package) for package in _CV2_PACKAGES}
    found = {package: version for package, version in versions.items() if version is not None}
    listed = " and ".join(f"{package} {version}" for package, version in found.items())
    if len(found) == 1:
        return Check(name, "ok", f"{listed} alone")
    pip = f"{sys.executable} -m pip"
    wanted = versions["opencv-python-headless"]
    exact = f"opencv-python-headless=={wanted}" if wanted else "opencv-python-headless"
    if not found:
        message = "no package of OpenCV is installed here, though cv2 is needed"
        return Check(name, "failed", message, f"{pip} install {exact}", CONFIGURATION)
    remedy = f"{pip} uninstall -y {' '.join(found)} && {pip} install {exact}"
    message = f"{listed} own the same files of cv2; which of them works is chance"
    return Check(name, "failed", message, remedy, CONFIGURATION)


def installed(package: str) -> str | None:
    """Return the version of an installed package, ``None`` when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def computing(_: Patient, name: str) -> Check:
    """Tell what trains and predicts: a GPU, or how many threads of the CPU."""
    import torch

    threads = f"{torch.get_num_threads()} of {os.cpu_count()} CPU threads"
    if torch.cuda.is_available():
        return Check(name, "ok", f"GPU {torch.cuda.get_device_name()}; {threads}; torch {torch.__version__}")
    return Check(name, "ok", f"no GPU (it would be faster); {threads}; torch {torch.__version__}")


def workspace(patient: Patient, name: str) -> Check:
    """See that the workspace opens: settings valid, database there and of our version."""
    from tenth.segmentation.device import resolve_device

    loop = patient.loop
    device = resolve_device(loop.config.training.device)
    return Check(name, "ok", f"{loop.workspace.folder} opens; trains on {device}")


def data_set(patient: Patient, name: str) -> Check:
    """See that the data set can be listed, and that there is something to learn from or to ask about."""
    loop = patient.loop
    initial, pool = divide(loop)
    message = f"{len(loop.classes)} classes, {len(initial)} initial images, {left_to_ask(loop)} to ask about"
    if not initial and not pool:
        where = f"{loop.dataset.root / loop.config.data.train_split / 'images'}"
        return Check(name, "failed", f"{message}: nothing to ask about", f"cp YOUR-IMAGES/* {where}/", DATA)
    return Check(name, "ok", message)


def image_here(patient: Patient, name: str) -> Check:
    """Open an image of the pool, as scoring does."""
    sample = pool_image(patient.loop)
    if sample is None:
        return Check(name, "ok", "every image of the pool has been asked")
    height, width = sample.load_image().shape[:2]
    return Check(name, "ok", f"{sample.image} opens, {width}×{height} pixels")


def pool_image(loop: Loop) -> Sample | None:
    """Return an image of the pool; before the first round registers them, one of those it would register."""
    with loop.workspace.database.reading() as session:
        image = session.scalars(
            select(Image).where(Image.role == "pool").order_by(Image.key).limit(1)
        ).first()
        known = session.scalar(select(func.count()).select_from(Image))
    if image is not None:
        return as_sample(loop, image)
    pool = [] if known else divide(loop)[1]
    return pool[0] if pool else None


def model(patient: Patient, name: str) -> Check:
    """Load the version in use and the one that rounds go on with; weights are compared with their digest."""
    loop = patient.loop
    pointed = (loop.workspace.models.current(), loop.workspace.models.teacher())
    versions = list(dict.fromkeys(version for version in pointed if version is not None))
    if not versions:
        remedy = f"controller train --workspace {patient.folder}"
        return Check(name, "warning", "no model yet: the first group would be a cold start", remedy)
    for version in versions:
        loop.predictor(version)
    loaded = f"{versions[0]} loads" if len(versions) == 1 else f"{' and '.join(versions)} load"
    return Check(name, "ok", f"{loaded}, weights as stored")


def disk_space(patient: Patient, name: str) -> Check:
    """Compare the free bytes of the workspace's disk with what a round writes."""
    folder = patient.loop.workspace.folder
    free, needed = shutil.disk_usage(folder).free, round_bytes(patient.loop)
    message = f"{gigabytes(free)} free, a round needs about {gigabytes(needed)}"
    remedy = (
        f"du -sh {folder}/*   # remove model versions that nobody uses, or move the folder to a larger disk"
    )
    if free < needed:
        return Check(name, "failed", message, remedy, CONFIGURATION)
    if free < _MARGIN * needed:
        return Check(name, "warning", f"{message}: enough for this one", remedy)
    return Check(name, "ok", message)


def gigabytes(size: float) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def round_bytes(loop: Loop) -> float:
    """Estimate what the next round writes: weights, arrays of all images asked until then, soft labels."""
    models = loop.workspace.models
    version = models.current()
    weights = folder_bytes(models.folder / version) if version else _UNKNOWN_WEIGHTS
    with loop.workspace.database.reading() as session:
        asked = select(func.count(), func.max(Image.height * Image.width)).where(Image.role == "asked")
        images, pixels = session.execute(asked).one()
        taught = session.scalar(select(func.count()).select_from(Image)) if loop.config.distill.student else 0
    images += loop.config.selection.group_size
    a_pixel = float(images) * _BYTES_A_PIXEL + float(taught or 0) * _SOFT_BYTES_A_PIXEL
    return weights * _COPIES_OF_WEIGHTS + a_pixel * (pixels or _UNKNOWN_PIXELS)


def folder_bytes(folder: Path) -> int:
    """Return the size of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def label_studio_login(patient: Patient, name: str) -> Check:
    """See that address and key of Label Studio are set."""
    credentials = label_studio_credentials(patient.loop.config.label_studio.url)
    return Check(name, "ok", f"LABEL_STUDIO_API_KEY is set, for {credentials.url}")


def backend_login(patient: Patient, name: str) -> Check:
    """See that the backend's login is set, where there is a backend."""
    if not patient.loop.config.backend.url:
        return Check(name, "ok", "no backend is connected, so none is needed")
    credentials = backend_credentials()
    return Check(name, "ok", f"TENTH_BACKEND_USER is {credentials.user}, TENTH_BACKEND_PASSWORD is set")


def _set_label_studio(_: Patient) -> str:
    return "export LABEL_STUDIO_URL=http://127.0.0.1:8080 LABEL_STUDIO_API_KEY=<token of Account & Settings>"


def _set_backend(_: Patient) -> str:
    return (
        "export TENTH_BACKEND_USER=… TENTH_BACKEND_PASSWORD=…   # the values that ls-backend was started with"
    )


def _new_workspace(patient: Patient) -> str:
    return (
        f"{patient.init} --dataset FOLDER   # or correct {patient.folder / 'controller.toml'} as said above"
    )


def _other_dataset(patient: Patient) -> str:
    return f"{patient.init} --offline --dataset FOLDER   # a folder that is whole"


def _train(patient: Patient) -> str:
    return f"controller train --workspace {patient.folder}   # or restore the version from a backup"


PROBES = (
    Probe("cv2", cv2_clash, (), lambda _: ""),
    Probe("computing", computing, (), lambda _: ""),
    Probe("workspace", workspace, (), _new_workspace),
    Probe("data set", data_set, ("workspace",), _other_dataset),
    Probe("image access from here", image_here, ("data set",), _other_dataset),
    Probe("model", model, ("data set", "cv2"), _train),
    Probe("disk space", disk_space, ("workspace",), lambda _: ""),
    Probe("Label Studio login", label_studio_login, ("workspace",), _set_label_studio),
    Probe("backend login", backend_login, ("workspace",), _set_backend),
)
