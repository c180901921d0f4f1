"""word2vec text and binary, and GloVe text, plain or gzipped: read by gensim, checked by us."""

import gzip
import logging
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.word_table import WordTable

_SNIFFED_BYTES = 1 << 22


class FileLayout(NamedTuple):
    """What the first bytes of a vector file say."""

    kind: str
    """``word2vec binary``, ``word2vec text`` or ``GloVe text``."""
    words: int | None
    """The header's word count; None for GloVe, which has no header."""
    dim: int


def read_vector_file(path: Path) -> WordTable:
    """Read a word2vec or GloVe file into memory.

    Repeated words keep their first vector, as gensim does; words are kept as they are written.

    Raises:
        InputError: The file is none of these formats, truncated, or holds lines of different dimensions.
    """
    layout = sniff_layout(path)
    if layout.kind != "word2vec binary":
        _check_lines(path, layout)
    rows, words = _load(path, layout)
    # gensim leaves None where a repeated word would stand
    kept = [i for i, word in enumerate(words) if word is not None]
    words, rows = [words[i] for i in kept], rows[kept]
    if not words:
        raise InputError(f"{path} holds no vectors.")
    metadata = {"source": {"format": layout.kind, "file": str(path.resolve())}}
    try:
        return WordTable.build(words, rows, metadata=metadata)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def sniff_layout(path: Path) -> FileLayout:
    """Tell the format of a vector file from its first bytes.

    Raises:
        InputError: It looks like none of them.
    """
    head = _read_head(path)
    first_line, _, rest = head.partition(b"\n")
    fields = first_line.split()
    if len(fields) == 2 and all(re.fullmatch(rb"\d+", field) for field in fields):
        n_words, dim = int(fields[0]), int(fields[1])
        if dim == 0:
            raise InputError(f"{path}, line 1: the header claims vectors of 0 dimensions.")
        layout = FileLayout("word2vec text" if _is_text_row(rest, dim) else "word2vec binary", n_words, dim)
        _refuse_impossible_header(path, layout)
        return layout
    if len(fields) >= 3 and _is_text_row(head, len(fields) - 1):
        return FileLayout("GloVe text", None, len(fields) - 1)
    raise InputError(
        f"{path} is not a vector file that can be read: expected a word2vec header ('WORDS DIMENSIONS') or a GloVe "
        "line ('word 0.1 0.2 ...') first. A table of this package is a folder with table.json in it."
    )


def _read_head(path: Path) -> bytes:
    try:
        with open_binary(path) as file:
            head = file.read(_SNIFFED_BYTES)
    except FileNotFoundError as error:
        raise InputError(f"There is no vector file at {path}: check the path.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}): fetch the file again.") from error
    if not head:
        raise InputError(f"{path} is empty: fetch the file again.")
    return head


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading bytes, through gzip when its name ends in .gz."""
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _is_text_row(data: bytes, dim: int) -> bool:
    line = data.split(b"\n", 1)[0]
    try:
        fields = line.decode("utf-8").rstrip().split(" ")
        [float(value) for value in fields[-dim:]]
    except ValueError:
        return False
    return len(fields) > dim


def _refuse_impossible_header(path: Path, layout: FileLayout) -> None:
    # gensim allocates what the header claims before it reads on
    least_bytes_a_word = layout.dim * (4 if layout.kind == "word2vec binary" else 2)
    claimed = (layout.words or 0) * least_bytes_a_word
    most_bytes = path.stat().st_size * (1100 if path.suffix == ".gz" else 1)
    if claimed > most_bytes:
        raise InputError(
            f"{path} is truncated or damaged: its header claims {layout.words} words of {layout.dim} dimensions, "
            f"but the file has only {path.stat().st_size} bytes. Fetch it again."
        )


def _load(path: Path, layout: FileLayout) -> tuple[np.ndarray, list[str]]:
    from gensim.models import KeyedVectors

    logging.getLogger("gensim").setLevel(logging.ERROR)
    try:
        vectors = KeyedVectors.load_word2vec_format(
            str(path),
            binary=layout.kind == "word2vec binary",
            no_header=layout.kind == "GloVe text",
        )
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is truncated: it ends before its last vector. Fetch it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} holds a word that is not UTF-8 ({error}).") from error
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: {error or 'damaged'}. Expected {layout.dim} numbers a word.") from error
    return vectors.vectors, vectors.index_to_key


def _check_lines(path: Path, layout: FileLayout) -> None:
    """Refuse lines of another length, which gensim takes or names without their number."""
    number = 0
    try:
        with open_binary(path) as file:
            for number, line in enumerate(file, start=1):
                fields = line.rstrip().count(b" ")
                if fields != layout.dim and not (number == 1 and layout.words is not None):
                    raise InputError(f"{path}, line {number}: found {fields}. Expected {layout.dim} numbers a word.")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged after line {number} ({error}): fetch it again.") from error
    if layout.words is not None and number - 1 > layout.words:
        raise InputError(f"{path}: the header claims {layout.words} words, but {number - 1} lines follow. Mend line 1.")


def _is(kind: str) -> Callable[[Path, bytes], bool]:
    def sniff(path: Path, head: bytes) -> bool:
        return path.is_file() and sniff_layout(path).kind == kind

    return sniff


def _read(path: Path, reading: Reading) -> WordTable:
    return read_vector_file(path)


WORD2VEC_BINARY = VectorFormat("word2vec-bin", "word2vec binary", (".bin",), _is("word2vec binary"), _read)
WORD2VEC_TEXT = VectorFormat("word2vec-txt", "word2vec text", (".txt", ".vec"), _is("word2vec text"), _read)
GLOVE_TEXT = VectorFormat("glove", "GloVe text", (".glove",), _is("GloVe text"), _read)
