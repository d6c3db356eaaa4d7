"""The errors a user can meet, and the exit code each one ends a command with.

::

    TenthError                      1
    ├── ConfigurationError          2   usage, controller.toml, environment
    │   └── WorkspaceBusy               another command is at work
    ├── WaitingForAnnotators        3   the open group is not answered yet
    ├── LabelStudioError            4
    │   ├── LabelStudioUnreachable      no answer at all
    │   └── LabelStudioRefused          an answer other than success
    ├── DataError                   5   images, labels, answers, model files
    │   ├── UnreadableFile              a picture or label map that is missing or broken
    │   ├── OutOfReach                  a storage that does not answer, or not us
    │   └── ExportDiffers               an exported model that is not what torch computes
    └── StorageError                6   the disk: full, no permission, a file in the way
"""

from __future__ import annotations


class TenthError(Exception):
    """Base of all errors raised on purpose; its message is written for the user."""

    exit_code = 1


class ConfigurationError(TenthError):
    """A setting, an argument or an environment variable cannot be used."""

    exit_code = 2


class WorkspaceBusy(ConfigurationError):
    """Another command is at work in the workspace."""


class WaitingForAnnotators(TenthError):
    """The open group still has unanswered regions."""

    exit_code = 3


class LabelStudioError(TenthError):
    """Label Studio could not do what was asked."""

    exit_code = 4


class LabelStudioUnreachable(LabelStudioError):
    """Label Studio did not answer."""


class LabelStudioRefused(LabelStudioError):
    """Label Studio answered with an error.

    Parameters
    ----------
    message : str
        What was asked and what came back, for the user.
    status : int
        HTTP status code.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DataError(TenthError):
    """An image, a label map, an answer or a stored array is not what it should be."""

    exit_code = 5


class UnreadableFile(DataError):
    """A picture or a label map is missing or broken: others can be read, and waiting does not help."""


class OutOfReach(DataError):
    """The storage of pictures or crops does not answer, or does not let us in: waiting may help."""


class ExportDiffers(DataError):
    """An exported model does not say what its network says; exporting it again would not help."""


class StorageError(TenthError):
    """The system cannot read, make or write a file or folder, or has no room for it."""

    exit_code = 6

    @classmethod
    def of(cls, error: OSError) -> StorageError:
        """Return what to tell a user about `error`, which may come from anywhere."""
        if error.filename is None or error.strerror is None:
            return cls(
                f"The system refused: {error}. Look for room on the disk, permissions and the network."
            )
        return cls(
            f"{error.filename} cannot be read or written: {error.strerror}. Look for room on the disk, for "
            "permissions, and for a file where a folder has to be; then call the command again."
        )
