"""A corpus cut into parts that any machine reads alone: the same documents, ids and line numbers as in one go."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from spacy_embed.errors import InputError, require
from spacy_embed.retrieval.corpus import Corpus, CorpusFiles, corpus_files
from spacy_embed.retrieval.corpus_formats import Document, is_divisible
from spacy_embed.retrieval.text_lines import FilePart, ReadingPlace, Report, refuse

SPLIT_BYTES = 16_000_000
"""What a task reads at most unless told: some seconds of work, and no more than that is lost with a worker."""

_LEAST_BYTES = 1 << 20
_PARTS = 64

_READ_BYTES = 1 << 24


class Piece(NamedTuple):
    """A file, or a part of one."""

    file: str
    """As every machine of the cluster calls it."""
    part: FilePart | None
    """None for all of it."""
    bytes: int


class Split(NamedTuple):
    """What one task reads."""

    corpus: CorpusFiles
    """How its files are read; their list is left out."""
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """How much there is to read."""
        return sum(piece.bytes for piece in self.pieces)


def plan_splits(path: Path, *, lines: bool = False, split_bytes: int | None = None) -> list[Split]:
    """Cut a corpus into parts of about the same size, in order; lines are counted, not read.

    JSONL and text are cut between lines, Parquet between row groups. Gzipped files and CSV stay whole.

    Args:
        path: As ``Corpus`` takes it, on storage that all machines share.
        lines: As for ``Corpus``.
        split_bytes: Bytes a part, about. None: a sixty-fourth of the corpus, between 1 and 16 MB, so that a small
            cluster has its share of a small corpus.

    Raises:
        InputError: There is no such corpus, or it is a pipe.
    """
    if Corpus(path).is_pipe:
        raise InputError(f"{path} is a pipe, which cannot be cut into parts: write the corpus to a file first.")
    return split_files(corpus_files(path.resolve(), lines=lines), split_bytes)


def split_files(found: CorpusFiles, split_bytes: int | None = None) -> list[Split]:
    """Cut files into parts, see ``plan_splits``; their paths are absolute."""
    if split_bytes is None:
        split_bytes = fitting_bytes(sum(file.stat().st_size for file in found.files))
    plan = found._replace(files=[])
    splits: list[Split] = []
    waiting: list[Piece] = []
    n_bytes = 0
    for file in found.files:
        for piece in _pieces(file, found, split_bytes):
            waiting.append(piece)
            n_bytes += piece.bytes
            if n_bytes >= split_bytes:
                splits.append(Split(plan, tuple(waiting)))
                waiting, n_bytes = [], 0
    return [*splits, Split(plan, tuple(waiting))] if waiting else splits


def fitting_bytes(total: int) -> int:
    """What a part of a corpus of so many bytes should have, see ``plan_splits``."""
    return min(max(total // _PARTS, _LEAST_BYTES), SPLIT_BYTES)


def read_split(split: Split, report: Report = refuse) -> Iterator[Document]:
    """The documents of a part, as ``Corpus`` reads them; ids that stand in it twice are given twice.

    Args:
        split: The part.
        report: What becomes of a malformed line.

    Raises:
        InputError: A file is not there, or a fault as ``report`` sees fit.
    """
    for file, part, _ in split.pieces:
        if not Path(file).is_file():
            raise InputError(
                f"{file} is not there for this worker: put the corpus where all machines of a cluster see it."
            )
        yield from split.corpus.documents_of(Path(file), report, ReadingPlace(), part)


def _pieces(file: Path, corpus: CorpusFiles, split_bytes: int) -> Iterator[Piece]:
    size = file.stat().st_size
    if corpus.kind == "texts" or size <= split_bytes or not is_divisible(file):
        yield Piece(str(file), None, size)
    elif file.suffix == ".parquet":
        yield from _row_groups(file, split_bytes)
    else:
        yield from _line_parts(file, size, split_bytes)


def _line_parts(file: Path, size: int, split_bytes: int) -> Iterator[Piece]:
    start = before = lines = 0
    with file.open("rb") as stream:
        while start < size:
            stop = min(start + split_bytes, size)
            lines += _count_lines(stream, start, stop)
            if stop < size:
                # to the end of the line that is cut
                stream.seek(stop - 1)
                rest = stream.readline()
                is_cut = rest != b"\n"
                stop += len(rest) - 1
                lines += is_cut and rest.endswith(b"\n")
            yield Piece(str(file), FilePart(start, stop, before), stop - start)
            start, before = stop, lines


def _count_lines(stream: BinaryIO, start: int, stop: int) -> int:
    stream.seek(start)
    found = 0
    while start < stop and (block := stream.read(min(_READ_BYTES, stop - start))):
        start += len(block)
        found += block.count(b"\n")
    return found


def _row_groups(file: Path, split_bytes: int) -> Iterator[Piece]:
    parquet = require("pyarrow.parquet", extra="search", purpose="read Parquet")
    try:
        metadata = parquet.ParquetFile(file).metadata
    except (OSError, ValueError):
        # the reader says what is wrong with it
        yield Piece(str(file), None, file.stat().st_size)
        return
    start = before = rows = n_bytes = 0
    for group in range(metadata.num_row_groups):
        rows += metadata.row_group(group).num_rows
        n_bytes += metadata.row_group(group).total_byte_size
        if n_bytes >= split_bytes or group + 1 == metadata.num_row_groups:
            yield Piece(str(file), FilePart(start, group + 1, before), n_bytes)
            start, before, n_bytes = group + 1, rows, 0
