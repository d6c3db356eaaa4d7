"""Settings that a type and a range do not describe: each check says why it refuses and what to write."""

from __future__ import annotations

import re

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

_HOST = r"([^\s/@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?"


def crop(value: object) -> tuple[int, int] | None:
    """Return a crop's height and width, None for no crop."""
    match value:
        case None | []:
            return None
        case [int(height), int(width)] if min(height, width) >= 1 and not isinstance(height or width, bool):
            return height, width
    raise ValueError(
        "it must be two whole numbers of at least 1. Write [height, width], or [] for whole images"
    )


def scale(value: object) -> tuple[float, float]:
    """Return the range of the random scale."""
    match value:
        case [float() | int() as low, float() | int() as high] if 0 < low <= high <= 16:
            return float(low), float(high)
    raise ValueError(
        "it must be two numbers, the smaller first, above 0 and at most 16. Write for example [0.5, 2.0]"
    )


def teachers(value: object) -> tuple[str, ...]:
    """Return the names of teachers, each once."""
    match value:
        case [_, *_] if all(isinstance(each, str) and each for each in value):
            names = tuple(str(each) for each in value)
            again = next((name for name in names if names.count(name) > 1), None)
            if again is None:
                return names
            raise ValueError(f"'{again}' stands in it twice. Name each teacher once")
    raise ValueError('it must be a list of at least one text. Write for example ["new"]')


def temperatures(value: object) -> tuple[float, ...]:
    """Return temperatures, above 0."""
    given = value if isinstance(value, list | tuple) else [None]
    numbers = [each for each in given if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) == len(given) and all(0 < each <= 1000 for each in numbers):
        return tuple(float(each) for each in numbers)
    raise ValueError("it must be a list of numbers above 0, at most 1000. Write for example [4.0], or []")


def device(value: str) -> str:
    """Return the name of a torch device, or 'auto'."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError("there is no such device. Write 'auto', 'cpu', 'cuda' or 'cuda:<number>'")
    return value


def sha256(value: str) -> str:
    """Return the hexadecimal digits in small letters; the empty text stays."""
    if value and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError("it must be 64 hexadecimal digits. Write what `sha256sum <file>` prints, or ''")
    return value.lower()


def web_address(value: str) -> str:
    """Return an http address without its last slash; the empty text stays."""
    if value and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        raise ValueError(
            "it must be an address without user or password. Write for example 'http://127.0.0.1:8080'; "
            "logins come from the environment"
        )
    return value.rstrip("/")


def hosts(value: object) -> tuple[str, ...]:
    """Return the names of servers, with or without a port."""
    given = value if isinstance(value, list | tuple) else [None]
    names = tuple(each.lower() for each in given if isinstance(each, str) and re.fullmatch(_HOST, each))
    if len(names) == len(given):
        return names
    raise ValueError('it must be a list of servers without http://. Write for example ["localhost:9000"]')


def database_url(value: str) -> str:
    """Return the URL of a database; the empty text stays."""
    if not value:
        return value
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("it is not a URL. Write for example 'postgresql://user@host/name'") from None
    if url.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise ValueError(
            "it must be a database of a kind that is tested: 'sqlite:///file' or 'postgresql://…'"
        )
    if url.password is not None:
        raise ValueError(
            "it holds a password, which does not belong into a file. Set PGPASSWORD in the environment, "
            "or put the whole URL into TENTH_DATABASE_URL"
        )
    return value
