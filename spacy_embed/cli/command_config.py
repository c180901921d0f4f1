"""``--config`` of commands: an INI file in spaCy's style whose values are the defaults of the options."""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from spacy_embed.errors import InputError

SECTION = "training"
INDEX_SECTION = "index"


def option_values(path: Path, method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config, as a command line would give them.

    The file has one section, ``[training]``: ``method``, the command's name, and any option by its name with
    underscores; values are JSON (confection's format).

    Args:
        path: The file.
        method: The command's name.
        options: The types of the options by name.

    Raises:
        InputError: The file is missing or malformed, it is for another method, or a key or a value's type is none of
            the command's.
    """
    section = _section(path, SECTION)
    meant = section.pop("method", method)
    if meant != method:
        raise InputError(f"{path} is a config for 'train {meant}', not for 'train {method}'.")
    return _values(f"{path}, [{SECTION}]", section, options, "method or one of ")


def index_values(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a config for ``index``, whose one section is ``[index]``."""
    return _values(f"{path}, [{INDEX_SECTION}]", _section(path, INDEX_SECTION), options, "one of ")


def _values(place: str, section: Mapping[str, Any], options: Mapping[str, Any], expected: str) -> dict[str, Any]:
    for key in section:
        if key not in options:
            known = ", ".join(sorted(options))
            raise InputError(f"{place}: unknown key {key!r}: expected {expected}{known}.")
    return {key: _checked(f"{place} {key}", value, options[key]) for key, value in section.items()}


def _section(path: Path, name: str) -> dict[str, Any]:
    from confection import Config, ConfigValidationError

    try:
        config = Config().from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no config at {path}: check the path.") from error
    except (OSError, ValueError, ConfigValidationError) as error:
        raise InputError(f"{path} cannot be read as a config ({' '.join(str(error).split())}).") from error
    if set(config) != {name}:
        raise InputError(f"{path} must have one section, [{name}], got {', '.join(map(str, config)) or 'none'}.")
    return dict(config[name])


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", Path: "a path"}
_ACCEPTED: dict[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str, int),
    Path: (str,),
}


def _checked(place: str, value: Any, annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        if value is None:
            return None
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) is list:
        of_each = get_args(annotation)[0]
        return [_one(place, part, of_each) for part in (value if isinstance(value, list) else [value])]
    return _one(place, value, annotation)


def _one(place: str, value: Any, kind: Any) -> Any:
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    is_right = value in choices if choices else isinstance(value, _ACCEPTED[kind])
    if not is_right or isinstance(value, bool) != (kind is bool):
        raise InputError(f"{place}: expected {' or '.join(choices) or _NAMES[kind]}, got {value!r}.")
    return value if kind is bool else str(value)
