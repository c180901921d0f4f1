"""The package's own table format: a folder of npy files and one JSON file, opened by memory mapping.

table.json    format, version, shape, fingerprint, and where the table came from
rows.npy      float32[n_rows, dim]
words.npy     uint8[bytes], all words in UTF-8
offsets.npy   int64[words + 1]
hashes.npy    uint64[words], ascending
order.npy     int32[words]
word_rows.npy int32[words]
extra.*.npy   further arrays, any shape
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.atomic_files import new_directory
from spacy_embed.errors import InputError
from spacy_embed.vectors.formats import Reading, VectorFormat, Writing, WritingNotes
from spacy_embed.vectors.key_index import KeyIndex
from spacy_embed.vectors.word_table import WordTable

MARKER = "table.json"
FORMAT = "spacy-embed table"
VERSION = 2

_KEY_FILES = {"text": "words"}
_OF_FILES = frozenset({"format", "version", "rows", "dim", "words", "fingerprint", "extras"})
_EXTRA = re.compile(r"[\w.-]+")
_LARGEST_HEADER = 1 << 26


def is_table(path: Path) -> bool:
    """Whether the folder is a table of this format."""
    return (path / MARKER).is_file()


def write_table(
    table: WordTable,
    path: Path,
    *,
    overwrite: bool = False,
    documents: Mapping[str, str] | None = None,
    rows_file: Path | None = None,
) -> None:
    """Write a table; the folder appears whole or not at all.

    Args:
        table: The table.
        path: The folder to make.
        overwrite: Replace a table that is there.
        documents: Texts for people that lie beside the arrays, by file name.
        rows_file: An .npy file of the table's rows on the same disk, which is moved instead of written again.

    Raises:
        InputError: The path is taken, or cannot be written.
    """
    header = {
        **table.metadata,
        "format": FORMAT,
        "version": VERSION,
        "rows": len(table.rows),
        "dim": table.dim,
        "words": len(table),
        "fingerprint": table.fingerprint,
        "extras": sorted(table.extras),
    }
    with new_directory(path, overwrite=overwrite, marker=MARKER) as folder:
        if rows_file is not None:
            rows_file.replace(folder / "rows.npy")
        else:
            np.save(folder / "rows.npy", table.rows, allow_pickle=False)
        save_keys(key_index_of(table), folder)
        for name, array in table.extras.items():
            np.save(folder / f"extra.{name}.npy", array, allow_pickle=False)
        for name, text in (documents or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / MARKER).write_text(json.dumps(header, ensure_ascii=False, indent=1), encoding="utf-8")


def open_table(path: Path, expected_fingerprint: str | None = None) -> WordTable:
    """Memory-map a table.

    Args:
        path: Its folder.
        expected_fingerprint: Refuse another table than the one that was meant.

    Raises:
        InputError: It is missing, damaged, of another format version, or another table.
    """
    header = _read_header(path)
    n_rows, dim, n_words = (header[key] for key in ("rows", "dim", "words"))
    rows = _map(path, "rows", (n_rows, dim), np.float32)
    keys = open_keys(path, n_words)
    if n_words and not -1 <= int(keys.word_rows.min()) <= int(keys.word_rows.max()) < n_rows:
        raise InputError(
            f"{path / 'word_rows'}.npy is damaged: it names rows that are not there. Write the table again."
        )
    if expected_fingerprint is not None and header["fingerprint"] != expected_fingerprint:
        raise InputError(
            f"The vector table at {path} changed: expected fingerprint {expected_fingerprint}, "
            f"found {header['fingerprint']}. Put the old table back, or fit and index again with the new one."
        )
    extras = {name: _load(path, f"extra.{name}") for name in header.get("extras", [])}
    table = WordTable(keys, rows, header, path.resolve(), extras)
    try:
        _ = table.subwords
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return table


def origin_of(table: WordTable) -> dict[str, Any]:
    """What the metadata say of where a table came from, without what they say of its files."""
    return {key: value for key, value in table.metadata.items() if key not in _OF_FILES}


def key_index_of(table: WordTable) -> KeyIndex:
    """The table's words as a KeyIndex, whatever keeps them."""
    keys = table.keys
    return keys if isinstance(keys, KeyIndex) else KeyIndex.build(list(keys), keys.word_rows)


def save_keys(keys: KeyIndex, folder: Path) -> None:
    """Write a key index into a folder."""
    folder.mkdir(exist_ok=True)
    for name in KeyIndex.__dataclass_fields__:
        np.save(folder / f"{_KEY_FILES.get(name, name)}.npy", getattr(keys, name), allow_pickle=False)


def open_keys(folder: Path, n_words: int | None = None) -> KeyIndex:
    """Memory-map a key index. Raises InputError when it is missing or damaged."""
    word_rows = _map(folder, "word_rows", None if n_words is None else (n_words,), np.int32)
    n_words = len(word_rows)
    keys = KeyIndex(
        _map(folder, "words", None, np.uint8),
        _map(folder, "offsets", (n_words + 1,), np.int64),
        _map(folder, "hashes", (n_words,), np.uint64),
        _map(folder, "order", (n_words,), np.int32),
        word_rows,
    )
    if int(keys.offsets[-1]) != len(keys.text):
        raise InputError(
            f"{folder / 'words'}.npy holds {len(keys.text)} bytes, expected {keys.offsets[-1]}: write it again."
        )
    if name := _damaged_array(keys):
        raise InputError(f"{folder / _KEY_FILES.get(name, name)}.npy is damaged: write the table again.")
    return keys


def _damaged_array(keys: KeyIndex) -> str | None:
    """The array of a key index that cannot be as it was written, if any; a million words take some 30 ms."""
    offsets, hashes, order = np.asarray(keys.offsets), np.asarray(keys.hashes), np.asarray(keys.order)
    text, n_words = np.asarray(keys.text), len(keys.word_rows)
    if offsets[0] != 0 or np.any(offsets[1:] < offsets[:-1]):
        return "offsets"
    try:
        text.tobytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return "text"
    if np.any(text[offsets[:-1][offsets[:-1] < offsets[1:]]] & 0xC0 == 0x80):
        return "offsets"
    if np.any(hashes[1:] < hashes[:-1]):
        return "hashes"
    if n_words and (order.min() < 0 or order.max() >= n_words):
        return "order"
    return None


def _read_header(path: Path) -> dict[str, Any]:
    file = path / MARKER
    if not file.is_file():
        raise InputError(f"{path} is not a vector table: it holds no {MARKER}.")
    if file.stat().st_size > _LARGEST_HEADER:
        raise InputError(f"{file} is damaged: it has {file.stat().st_size} bytes. Write the table again.")
    try:
        header = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is damaged ({error}): write the table again.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{file} does not describe a '{FORMAT}'.")
    if header.get("version") != VERSION:
        raise InputError(
            f"{path} is a table of version {header.get('version')}; this package reads version {VERSION}: "
            "make it again from what it was made of."
        )
    if not all(isinstance(header.get(key), int) and header[key] >= 0 for key in ("rows", "dim", "words")):
        raise InputError(f"{file} is damaged: rows, dim and words must be whole numbers. Write the table again.")
    extras = header.get("extras", [])
    if not isinstance(extras, list) or not all(isinstance(e, str) and _EXTRA.fullmatch(e) for e in extras):
        raise InputError(f"{file} is damaged: extras must be a list of names. Write the table again.")
    if not isinstance(header.get("fingerprint"), str):
        raise InputError(f"{file} is damaged: it has no fingerprint. Write the table again.")
    return header


def _map(path: Path, name: str, shape: tuple[int, ...] | None, dtype: type[np.generic]) -> NDArray[Any]:
    array = _load(path, name)
    if array.dtype != dtype or (shape is not None and array.shape != shape) or array.ndim != len(shape or (0,)):
        expected = f"{np.dtype(dtype).name}{list(shape) if shape is not None else '[bytes]'}"
        raise InputError(
            f"{path / name}.npy holds {array.dtype.name}{list(array.shape)}, expected {expected}: "
            "write the table again."
        )
    return array


def _load(path: Path, name: str) -> NDArray[Any]:
    file = path / f"{name}.npy"
    try:
        with file.open("rb") as stream:
            np.lib.format.read_magic(stream)
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
            data_bytes = file.stat().st_size - stream.tell()
        expected_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if dtype.hasobject or data_bytes != expected_bytes:
            raise ValueError(f"{data_bytes} bytes of data where its header asks for {expected_bytes}")
        # an empty region cannot be mapped
        array: NDArray[Any] = np.load(file, mmap_mode="r" if expected_bytes else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{file} is missing: the table is incomplete, write it again.") from error
    except Exception as error:  # NumPy's header parser lets errors of many kinds through
        raise InputError(f"{file} is truncated or damaged ({error}): write the table again.") from error
    return array


def _sniff(path: Path, head: bytes) -> bool:
    return path.is_dir() and is_table(path)


def _read(path: Path, reading: Reading) -> WordTable:
    return open_table(path)


def _write(table: WordTable, path: Path, writing: Writing) -> WritingNotes:
    write_table(table, path, overwrite=writing.overwrite)
    return WritingNotes(len(table))


TABLE_FOLDER = VectorFormat("table", FORMAT, (".table",), _sniff, _read, _write)
