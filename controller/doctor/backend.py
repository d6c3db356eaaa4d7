"""Checks of our backend: from here, and as Label Studio sees it."""

from __future__ import annotations

import base64
import hmac

import httpx

from controller.doctor.check import CONFIGURATION, LABEL_STUDIO, Check, Patient, Probe
from controller.doctor.label_studio import ask
from tenth.workspace.runtimes import EXTRAS, check_runtime
from tenth.workspace.secrets import backend_credentials

_STATES = {"CO": "connected", "DI": "disconnected", "ER": "error", "TR": "training", "PR": "predicting"}
_NOT_READY = ("DI", "ER")


def runtime(patient: Patient, name: str) -> Check:
    """See that what `[backend] runtime` names is installed here, and whether the model in use is exported."""
    from tenth.workspace.exports import export_size

    loop, chosen = patient.loop, patient.loop.config.backend.runtime
    check_runtime(chosen)
    if chosen == "torch":
        return Check(name, "ok", "torch computes the backend's predictions")
    models = loop.workspace.models
    version = models.current()
    if version is None:
        return Check(name, "ok", f"{chosen} is installed; there is no model to export yet")
    size = export_size(models, version, chosen)
    if size is not None:
        return Check(name, "ok", f"{version} is exported for {chosen}, {size[1]}×{size[0]} pixels")
    later = "the backend exports it when it is first asked, which takes some seconds"
    if (models.folder / version / chosen).exists():
        message = f"the export of {version} for {chosen} is damaged or of other weights; {later}"
        return Check(name, "warning", message, f"rm -r {models.folder / version / chosen}")
    return Check(name, "ok", f"{chosen} is installed; {version} is not exported yet: {later}")


def backend(patient: Patient, name: str) -> Check:
    """Ask the backend for its versions, without the login and with it."""
    loop, url = patient.loop, address(patient)
    if not url:
        remedy = f"ls-backend --workspace {patient.folder} --port 9090 & {connect(patient)}"
        message = "none is connected: guesses are pushed with the tasks all the same, whole images get none"
        return Check(name, "warning", message, remedy)
    login = backend_credentials()
    try:
        bare = ask(f"{url}/versions")
        answer = ask(f"{url}/versions", auth=(login.user, login.password))
        versions = answer.json()["versions"] if answer.is_success else []
    except httpx.TransportError as error:
        message = f"{url} does not answer ({type(error).__name__}: {error})"
        return Check(name, "failed", message, start(patient), CONFIGURATION)
    except (ValueError, KeyError, TypeError):
        return Check(
            name, "failed", f"{url} answers, but not as our backend does", start(patient), CONFIGURATION
        )
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        message = f"{url} refuses the login of this environment: it was started with another one"
    elif not answer.is_success:
        message = f"{url}/versions answers {answer.status_code}"
    elif bare.status_code != httpx.codes.UNAUTHORIZED:
        message = f"{url} lets anybody in: without a login /versions answers {bare.status_code}, not 401"
    elif (current := loop.workspace.models.current()) and current not in versions:
        message = f"{url} does not know {current}: it serves another workspace"
    else:
        return Check(name, "ok", f"{url} answers to our login alone, {len(versions)} model versions")
    return Check(name, "failed", message, start(patient), CONFIGURATION)


def connection(patient: Patient, name: str) -> Check:
    """See that the project is connected to the backend, and how Label Studio finds it just now."""
    url = address(patient)
    if not url:
        return Check(name, "ok", "no backend to connect")
    known = [each for each in patient.loop.client.backends(patient.loop.project) if same(each["url"], url)]
    if not known:
        message = f"the project is not connected to {url}"
        return Check(name, "failed", message, connect(patient, url), LABEL_STUDIO)
    state = known[0]["state"]
    if state in _NOT_READY:
        reason = f": {known[0]['error_message']}" if known[0].get("error_message") else ""
        message = f"Label Studio says '{_STATES[state]}' about {url}{reason}"
        return Check(name, "failed", message, connect(patient, url), LABEL_STUDIO)
    version = known[0].get("model_version") or "none yet"
    return Check(name, "ok", f"Label Studio says '{_STATES.get(state, state)}'; its model version: {version}")


def webhook(patient: Patient, name: str) -> Check:
    """See that Label Studio's webhook to the backend is on and carries the login (by itself it does not)."""
    url = address(patient)
    if not url:
        return Check(name, "ok", "no backend to tell")
    hooks = patient.loop.client.webhooks(patient.loop.project)
    known = [each for each in hooks if same(each["url"], f"{url}/webhook")]
    login = backend_credentials()
    wanted = "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    if not known:
        message = f"the project has no webhook to {url}/webhook"
    elif not known[0]["is_active"]:
        message = f"the webhook to {url}/webhook is switched off"
    elif not hmac.compare_digest(
        str((known[0]["headers"] or {}).get("Authorization", "")).encode(), wanted.encode()
    ):
        message = f"the webhook to {url}/webhook does not carry the backend's login: it answers 401"
    else:
        return Check(name, "ok", "tells the backend about answers, with its login")
    return Check(name, "failed", message, connect(patient, url), LABEL_STUDIO)


def address(patient: Patient) -> str:
    """Return the backend's address without a trailing slash; empty when there is none."""
    return patient.loop.config.backend.url.rstrip("/")


def same(one: str, other: str) -> bool:
    """Tell whether two addresses differ in a trailing slash at most."""
    return one.rstrip("/") == other.rstrip("/")


def start(patient: Patient) -> str:
    """Return the command that starts the backend of this workspace where Label Studio looks for it."""
    port = httpx.URL(address(patient)).port or 9090
    return (
        f"ls-backend --workspace {patient.folder} --port {port}   # with this environment's TENTH_BACKEND_*"
    )


def connect(patient: Patient, url: str = "http://127.0.0.1:9090") -> str:
    """Return the command that connects the backend, its webhook included."""
    return f"{patient.init} --backend-url {url}"


def _connect_again(patient: Patient) -> str:
    return connect(patient, address(patient))


def _install(patient: Patient) -> str:
    chosen = patient.loop.config.backend.runtime
    return (
        f"pip install 'tenth[{EXTRAS.get(chosen, chosen)}]'   # or: {patient.init} --offline --set "
        "backend.runtime=torch"
    )


PROBES = (
    Probe("runtime", runtime, ("workspace",), _install),
    Probe("backend", backend, ("backend login",), start),
    Probe("backend in Label Studio", connection, ("backend", "project"), _connect_again),
    Probe("webhook", webhook, ("backend", "project"), _connect_again),
)
