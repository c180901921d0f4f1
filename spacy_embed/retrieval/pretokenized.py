"""Sequences of anything, tokens already: a line each, or JSONL with a list in ``tokens``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import key_of
from spacy_embed.retrieval.text_lines import STANDARD_INPUT, ReadingPlace, Report, name_of, read_lines, refuse

_SUFFIXES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz")


class PretokenizedCorpus:
    """Lines that hold tokens.

    Args:
        path: A file of any name, ``.gz`` or plain, ``-`` for standard input, or a folder of .txt and .jsonl files.
        report: What becomes of a line that cannot be read.

    Raises:
        InputError: While reading: there is nothing at the path, no line in it, or a fault as ``report`` sees fit.
    """

    def __init__(self, path: Path, report: Report = refuse) -> None:
        self.path = path
        self.report = report
        self._place = ReadingPlace()

    @property
    def fraction(self) -> float | None:
        """Share that has been read, 0 to 1; None where its size is not known."""
        return self._place.fraction

    def __iter__(self) -> Iterator[Document]:
        files = self.files()
        if all(file.is_file() for file in files):
            self._place = ReadingPlace(sum(file.stat().st_size for file in files))
        is_empty = True
        for file in files:
            for number, line in read_lines(file, self.report, self._place):
                is_empty = False
                yield Document(str(number), "", "", line, {}, f"{name_of(file)}, line {number}")
        if is_empty:
            raise InputError(f"{self.path} holds no sequences.")

    def files(self) -> list[Path]:
        """What is read, in order. Raises InputError when a folder holds nothing to read."""
        if self.path == STANDARD_INPUT or not self.path.is_dir():
            return [self.path]
        files = sorted(file for file in self.path.rglob("*") if file.is_file() and file.name.endswith(_SUFFIXES))
        if not files:
            raise InputError(f"{self.path} holds neither .txt nor .jsonl files.")
        return files


class PretokenizedKernel:
    """Splits lines, where ``TextKernel`` tokenizes texts: nothing is looked up, folded or left out.

    A line that begins with a brace is a JSON object with a list ``tokens`` of strings or whole numbers. Any other is
    split at tabs if it holds one, so that tokens may hold spaces, else at white space.
    """

    def identity(self) -> dict[str, Any]:
        """What decides how lines become tokens."""
        return {"pretokenized": 1}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Record batch of ``TEXTS`` -> ``keys``, ``lang``, ``fault``, ``where`` and ``text``."""
        texts = batch.column("text").to_pylist()
        sequences, faults = [], []
        for line in texts:
            try:
                sequences.append(_tokens(line))
                faults.append("")
            except ValueError as error:
                sequences.append([])
                faults.append(f"{error}. Correct or remove the line.")
        offsets = [0]
        for sequence in sequences:
            offsets.append(offsets[-1] + len(sequence))
        keys = pa.array([key_of("", token) for sequence in sequences for token in sequence], pa.string())
        return pa.record_batch(
            {
                "keys": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), keys.dictionary_encode()),
                "lang": pa.array([""] * len(texts), pa.string()),
                "fault": pa.array(faults, pa.string()),
                "where": batch.column("where"),
                "text": batch.column("text"),
            }
        )


def _tokens(line: str) -> list[str]:
    if not line.lstrip().startswith("{"):
        return [token for token in line.split("\t") if token] if "\t" in line else line.split()
    try:
        fields = json.loads(line)
    except RecursionError as error:
        raise ValueError("not valid JSON (it nests too deep)") from error
    except ValueError as error:
        raise ValueError(f"not valid JSON ({error})") from error
    tokens = fields.get("tokens")
    if not isinstance(tokens, list):
        got = json.dumps(tokens)[:40] if "tokens" in fields else f"the fields {sorted(fields)}"
        raise ValueError(f"expected a list in 'tokens', got {got}")
    for token in tokens:
        if not isinstance(token, (str, int)) or isinstance(token, bool):
            raise ValueError(f"expected tokens to be strings or whole numbers, got {json.dumps(token)[:40]}")
    texts = [str(token) for token in tokens if token != ""]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a token holds the lone surrogate {error.object[error.start]!r}") from error
    return texts
