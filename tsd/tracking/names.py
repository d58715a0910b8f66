"""Names and values as MLflow takes them. Nothing is sent to MLflow that has not passed here.

MLflow (3.17, ``mlflow/utils/validation.py`` and the columns of its database) takes names of
parameters, metrics and tags that have at most 250 characters out of letters, digits, ``_ - . /``
and spaces, and that are normalised relative paths: no part is empty, ``.`` or ``..``. Colons are
taken on some systems only. Databases differ in what they do with letters beyond ASCII, with spaces
at the ends, and with null characters.

A character that is not taken everywhere becomes ``_U`` with its code point and ``_``, so that ``*``
reads ``_U2A_``. No two names become one: a ``_`` that stands before a ``U`` is written in the same
way, so that every name can be read back, and a name that is too long keeps its beginning and ends
in a digest of the whole.
"""

import hashlib
import math
import re
from dataclasses import replace

from tsd.tracking.run_files import Event, RunFiles

NAME_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 5000
"""Of older servers; newer ones take 8000 characters."""

DIGEST_LENGTH = 16
"""Hexadecimal digits that tell apart what has been cut."""

_ESCAPED = re.compile(
    r"""
    [^A-Za-z0-9_./\ -]             # what is not taken everywhere
    | _(?=U)                       # what would look like an escaped character
    | (?<![^/])/ | /(?![^/])       # a slash beside an empty part
    | (?<![^/])\.                  # a point at the beginning of a part, which may be . or ..
    | \A\  | \ \Z                  # a space at either end
    """,
    re.VERBOSE,
)
_EMPTY = "_U_"


def name(text: str) -> str:
    """A name of a parameter, a metric, a tag or an experiment that MLflow takes.

    Names that MLflow takes everywhere stay as they are. Different names stay different.
    """
    escaped = _ESCAPED.sub(lambda match: f"_U{ord(match[0]):X}_", text) or _EMPTY
    if len(escaped) <= NAME_LENGTH:
        return escaped
    # A lower-case letter follows no _U otherwise, so that this is no other name's escaped form.
    ending = f"_Ucut_{_digest(text)}"
    return escaped[: NAME_LENGTH - len(ending)] + ending


def value(text: str, length: int) -> str:
    """A value of a parameter or a tag; one that is too long says so at its end.

    Args:
        text: Any text. What no database can store becomes a replacement character.
        length: The most characters that it may have.
    """
    storable = re.sub("[\0\ud800-\udfff]", "\ufffd", text)
    if len(storable) <= length:
        return storable
    ending = f"… (cut from {len(storable)} characters, sha256 {_digest(text)})"
    return storable[: length - len(ending)] + ending


def measurement(number: object) -> float | None:
    """The value of a metric; None for what is no finite number and is therefore not sent."""
    if not isinstance(number, int | float):
        return None
    try:
        finite = float(number)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None


def adapted(files: RunFiles) -> RunFiles:
    """The content of a run's folder with all names and values as MLflow takes them."""
    return replace(
        files,
        key=name(files.key),
        name=value(files.name, NAME_LENGTH) or "unnamed",
        experiment=name(files.experiment),
        tags={name(tag): value(text, TAG_LENGTH) for tag, text in files.tags.items()},
        params={name(param): value(text, PARAM_LENGTH) for param, text in files.params.items()},
        events=[_adapted_event(event) for event in files.events],
        final=_adapted_event(files.final),
        data={key: value(text, NAME_LENGTH) or "unnamed" for key, text in files.data.items()},
        on_the_way=[_adapted_event(event) for event in files.on_the_way],
    )


def _adapted_event(event: Event) -> Event:
    measured = {name(metric): measurement(number) for metric, number in event.metrics.items()}
    finite = {metric: number for metric, number in measured.items() if number is not None}
    return replace(event, time_ms=max(event.time_ms, 0), metrics=finite)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]
