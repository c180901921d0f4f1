"""Encoders that an index learned from judgements: one file, named by the manifest, that each fit writes anew."""

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError
from spacy_embed.retrieval.generations import save_version
from spacy_embed.retrieval.locks import writer_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.method_names import NAMES
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.training.judged_encoder import JudgedEncoder, encoder_from_state


def check_name(name: str) -> str:
    """The name, if an encoder may have it.

    Raises:
        InputError: A method has it, or it holds more than letters, digits, ``-`` and ``_``.
    """
    if name in NAMES:
        raise InputError(f"{name!r} is the name of a method: choose another for the encoder.")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name) is None:
        raise InputError(f"An encoder's name is made of letters, digits, '-' and '_', got {name!r}.")
    return name


def fingerprint(encoder: JudgedEncoder) -> str:
    """A hash of what was learned."""
    learned = state_to_bytes({"factors": encoder.factors, "projection": encoder.projection})
    return blake2b(learned, digest_size=8).hexdigest()


def read_learned(folder: Path, manifest: Manifest) -> dict[str, JudgedEncoder]:
    """The encoders of a version, by name. Raises InputError when their file is missing or damaged."""
    if not manifest.learned:
        return {}
    file = folder / manifest.learned
    try:
        state = state_from_bytes(file.read_bytes(), where=str(file))
        return {name: encoder_from_state(state["encoders"][name]) for name in state["names"]}
    except OSError as error:
        raise InputError(f"{file} is missing ({error.strerror}): index the corpus again.") from error
    except (KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error}): index the corpus again.") from error


def save_encoder(
    index: Path, index_id: str, name: str, encoder: JudgedEncoder, on_wait: Callable[[], None] = lambda: None
) -> Manifest:
    """Keep an encoder in an index, in one commit; one of the same name is replaced.

    Documents may have come and gone since the fit, and weightings may have been fitted again: rows keep their numbers
    as long as the index is not made anew.

    Args:
        index: The index.
        index_id: That of the version that the encoder was fitted on.
        name: What it is to be called.
        encoder: A fitted encoder.
        on_wait: Called when another process is writing.

    Raises:
        InputError: The name is taken by a method, or the index was made anew meanwhile.
    """
    check_name(name)
    with writer_lock(index, on_wait):
        manifest = read_manifest(index)
        if manifest.index_id != index_id:
            raise InputError(f"{index} was made anew while an encoder was fitted: run the command again.")
        folder = manifest.folder(index)
        encoders = {**read_learned(folder, manifest), name: encoder}
        states = {other: kept.state() for other, kept in encoders.items()}
        revision = manifest.revision + 1
        file = f"learned.{revision}.npz"
        write_atomically(folder / file, state_to_bytes({"names": list(encoders), "encoders": states}))
        manifest = replace(manifest, learned=file, revision=revision)
        save_version(manifest, index)
        for stale in (folder / "cache").glob(f"*.{name}@*"):
            # a version that is still open has mapped its own
            stale.unlink(missing_ok=True)
    return manifest
