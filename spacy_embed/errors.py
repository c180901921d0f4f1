"""Errors that a user can act on: one line each, with the exit code that the command line gives them."""

import importlib
import importlib.util
from types import ModuleType


class SpacyEmbedError(Exception):
    """A job failed. Base class of every error that this package raises on purpose."""

    exit_code = 1


class InputError(SpacyEmbedError, ValueError):
    """What was given cannot be used; the message says what was expected, what was got, where, and what to do."""

    exit_code = 2


class UnknownWordError(InputError, KeyError):
    """A word that a vector table does not hold."""

    __str__ = Exception.__str__  # KeyError would print the repr


class MissingExtraError(SpacyEmbedError, ImportError):
    """A package of an optional extra is not installed; the message is the pip line that brings it."""

    exit_code = 2


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: Dotted name to import.
        extra: The extra of this package that installs it.
        purpose: What it is needed for, to complete "To ..., install".

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise _missing(module, extra, purpose) from error


def require_installed(module: str, *, extra: str, purpose: str) -> None:
    """``require`` without the import, for what is needed later and takes long to import.

    Raises:
        MissingExtraError: The module is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise _missing(module, extra, purpose)


def _missing(module: str, extra: str, purpose: str) -> MissingExtraError:
    return MissingExtraError(
        f"To {purpose}, install the extra '{extra}': pip install 'spacy-embed[{extra}]' "
        f"(the module '{module.split('.')[0]}' is missing)"
    )
