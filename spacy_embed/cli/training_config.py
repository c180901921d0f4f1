"""``--config`` of ``spacy-embed train``: an INI file in spaCy's style whose values are the defaults of the options."""

from pathlib import Path
from typing import Any

import typer

from spacy_embed.errors import InputError

SECTION = "training"


def option_values(path: Path, command: Any) -> dict[str, Any]:
    """The values of a config by the names that the command knows its options by.

    The file has one section, ``[training]``: ``method``, the command's name, and any option by its name with
    underscores; values are JSON (confection's format).

    Raises:
        InputError: The file is missing or malformed, it is for another method, or a key or value is none of the
            command's.
    """
    section = _section(path)
    method = section.pop("method", command.name)
    if method != command.name:
        raise InputError(f"{path} is a config for 'train {method}', not for 'train {command.name}'.")
    options = _options_of(command)
    values = {}
    for key, value in section.items():
        if key not in options:
            raise InputError(
                f"{path}, [{SECTION}]: unknown key {key!r}: expected method or one of {', '.join(sorted(options))}."
            )
        values[options[key].name or key] = _checked(path, key, value, options[key])
    return values


def _section(path: Path) -> dict[str, Any]:
    from confection import Config, ConfigValidationError

    try:
        config = Config().from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no config at {path}: check the path.") from error
    except (OSError, ValueError, ConfigValidationError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as a config ({reason}).") from error
    if set(config) != {SECTION}:
        raise InputError(f"{path} must have one section, [{SECTION}], got {', '.join(map(str, config)) or 'none'}.")
    return dict(config[SECTION])


def _checked(path: Path, key: str, value: Any, option: Any) -> Any:
    place = f"{path}, [{SECTION}] {key}"
    if value is None:
        return None
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        return [str(part) for part in values]
    is_switch = option.is_flag
    if is_switch != isinstance(value, bool):
        raise InputError(f"{place}: expected {'true or false' if is_switch else 'a value'}, got {value!r}.")
    try:
        option.type.convert(value if is_switch else str(value), option, None)
    except typer.BadParameter as error:
        raise InputError(f"{place}: {error.message}") from error
    return value if is_switch else str(value)


def _options_of(command: Any) -> dict[str, Any]:
    """What a config may set: every option but the config itself, by its long name without dashes."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    long_names = {option.name: next(name for name in option.opts if name.startswith("--")) for option in options}
    return {
        long_names[option.name].removeprefix("--").replace("-", "_"): option
        for option in options
        if option.name not in ("config", "help")
    }
