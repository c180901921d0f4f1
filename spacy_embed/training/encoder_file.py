"""A fitted encoder as a file of its own: the words whose weight it changed, and the map."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.atomic_files import write_atomically
from spacy_embed.embedding import BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.types import Floats1d, Floats2d, State
from spacy_embed.vectors.table import VectorTable

_FORMAT = "spacy-embed encoder"
_VERSION = 1


class EncoderFile(NamedTuple):
    """What an encoder learned, by word."""

    lang: str
    """The language of the words."""
    words: list[str]
    """Lookup forms whose factor is not 1."""
    factors: Floats1d
    """float32[words]."""
    projection: Floats2d
    """float32[dim, dim]."""

    def embedding(self, start: BagEmbedding, table: VectorTable) -> BagEmbedding:
        """The encoder over TF-IDF and a table of the space that it was fitted in.

        Raises:
            InputError: The table has another dimension, or the start weighs in another way.
        """
        dim = table.rows.shape[1]
        if len(self.projection) != dim:
            raise InputError(f"The encoder maps {len(self.projection)} dimensions, but the table has {dim}.")
        factors = np.ones(len(table.rows), np.float32)
        rows = table.find(self.words)
        factors[rows[rows >= 0]] = self.factors[rows >= 0]
        fitted = JudgedEncoder(factors=factors, projection=self.projection)
        return fitted.embedding(start)

    def save(self, file: Path) -> None:
        """Write it in one step."""
        head = {"format": _FORMAT, "version": _VERSION}
        write_atomically(file, state_to_bytes({**head, **self._asdict()}))


def encoder_file(encoder: JudgedEncoder, lang: str, words: Sequence[str], rows: np.ndarray) -> EncoderFile:
    """A fitted encoder by word.

    Args:
        encoder: The encoder.
        lang: The language of the words.
        words: Lookup forms.
        rows: int32[words], their rows, negative for none.
    """
    if encoder.factors is None or encoder.projection is None:
        raise InputError("The encoder has not been fitted: fit it on judged queries first.")
    factors = np.where(rows >= 0, encoder.factors[np.maximum(rows, 0)], np.float32(1.0))
    changed = np.flatnonzero(factors != 1.0)
    return EncoderFile(lang, [words[i] for i in changed.tolist()], factors[changed], encoder.projection)


def load_encoder(file: Path) -> EncoderFile:
    """Read what ``EncoderFile.save`` wrote. Raises InputError when it is missing, damaged or something else."""
    try:
        state: State = state_from_bytes(file.read_bytes(), where=str(file))
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror}): write one with 'spacy-embed fit --out'."
        ) from error
    found = state if isinstance(state, dict) else {}
    if found.get("format") != _FORMAT or found.get("version") != _VERSION:
        raise InputError(f"{file} is not an encoder that this version reads: write one with 'spacy-embed fit --out'.")
    try:
        read = EncoderFile(*(state[name] for name in EncoderFile._fields))
        dim = len(read.projection)
        if read.factors.shape != (len(read.words),) or read.projection.shape != (dim, dim):
            raise ValueError("sizes that do not fit each other")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({error}): write it again with 'spacy-embed fit --out'.") from error
    return read
