"""What passes between the corpus, the encoding workers and the store: Arrow record batches.

A kernel turns batches of ``TEXTS`` into batches of ``ENCODED``, one row a document, in any process. Its dictionaries
are those of one batch; see ``word_numbers`` for the numbers that words get in the whole corpus.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed.bags import Bags
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.types import Rows
from spacy_embed.vectors.key_index import PackedWords

TEXTS = pa.schema([(name, pa.string()) for name in ("id", "lang", "title", "text", "metadata", "where")])
"""Documents as read; ``lang`` may be empty, ``metadata`` is a JSON object, ``where`` is for messages."""

KEYS = pa.list_(pa.dictionary(pa.int32(), pa.string()))
COUNTS = pa.list_(pa.float32())

ENCODED = pa.schema(
    [
        *TEXTS,
        ("tokens", pa.int32()),
        ("keys", KEYS),
        ("key_counts", COUNTS),
        ("terms", KEYS),
        ("term_counts", COUNTS),
        ("fault", pa.string()),
        ("given_lang", pa.string()),
    ]
)
"""``tokens``: how many were looked up. ``keys``: ``lang:form``, a bag of them with ``key_counts`` (in running order
and unmerged when training asks for sequences). ``terms``: what BM25 indexes, with ``term_counts``. ``fault``: why the
document could not be encoded, "" if it was. ``given_lang``: the language that the corpus names, "" for none."""

Kernel = Callable[[pa.RecordBatch], pa.RecordBatch]

SEPARATOR = ":"


def key_of(lang: str, form: str) -> str:
    """The key of a lookup form in an index's vocabulary."""
    return f"{lang}{SEPARATOR}{form}"


def form_of(key: str) -> str:
    """The lookup form of a key."""
    return key.partition(SEPARATOR)[2]


def text_batches(documents: Iterable[Document], size: int = 4096) -> Iterator[pa.RecordBatch]:
    """Documents in record batches of ``TEXTS``: what a worker holds at once, at most ``size``, fewer long ones."""
    batch: list[Document] = []
    n_bytes = 0
    for document in documents:
        batch.append(document)
        # closer to the work than characters are: one of Chinese is half a word
        n_bytes += len(document.text.encode("utf-8", "surrogatepass"))
        if len(batch) >= size or n_bytes >= _MOST_BYTES:
            yield _text_batch(batch)
            batch, n_bytes = [], 0
    if batch:
        yield _text_batch(batch)


_MOST_BYTES = 1_000_000


def _text_batch(documents: list[Document]) -> pa.RecordBatch:
    columns: list[list[Any]] = [
        [document.id for document in documents],
        [document.lang for document in documents],
        [document.title for document in documents],
        [document.text for document in documents],
        [json_text(document.metadata) for document in documents],
        [document.where for document in documents],
    ]
    return pa.record_batch(columns, schema=TEXTS)


def json_text(metadata: dict[str, Any]) -> str:
    """Metadata as it is stored."""
    if not metadata:
        return "{}"
    try:
        return json.dumps(metadata, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        # NaN is not JSON: its name is
        named = json.loads(json.dumps(metadata, default=str), parse_constant=str)
        return json.dumps(named, ensure_ascii=False)


def list_bags(rows: pa.ListArray, weights: pa.ListArray) -> Bags:
    """Bags of two list columns: int32 ids (or dictionary indices) and float32 weights."""
    values = rows.flatten()
    if pa.types.is_dictionary(values.type):
        values = values.indices
    sizes = rows.value_lengths().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Bags.build(values.to_numpy(zero_copy_only=False), weights.flatten().to_numpy(zero_copy_only=False), offsets)


def list_columns(bags: Bags) -> tuple[pa.ListArray, pa.ListArray]:
    """The two list columns of bags."""
    offsets = pa.array(bags.offsets.astype(np.int32))
    return (
        pa.ListArray.from_arrays(offsets, pa.array(bags.rows)),
        pa.ListArray.from_arrays(offsets, pa.array(bags.weights)),
    )


def joined_strings(arrays: Iterable[pa.Array]) -> pa.Array:
    """Arrays of strings, one after the other, as large strings: the words of a large text are more than 2 GB."""
    wide = [array.cast(pa.large_string()) for array in arrays]
    return pa.concat_arrays(wide) if wide else pa.array([], pa.large_string())


def packed(strings: pa.Array) -> PackedWords:
    """The bytes and offsets of an array of strings without nulls, which are not copied."""
    whole = strings.cast(pa.large_string())
    _, offsets, text = whole.buffers()
    if offsets is None or not len(whole):
        return PackedWords(np.empty(0, np.uint8), np.zeros(1, np.int64))
    ends = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
    return PackedWords(np.frombuffer(text or b"", np.uint8)[ends[0] : ends[-1]], ends - ends[0])


class Vocabulary:
    """Strings to consecutive ids, in order of first appearance."""

    def __init__(self) -> None:
        # looking a string up gives it the next id: no Python is run for either
        self.ids: defaultdict[str, int] = defaultdict(count().__next__)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, strings: Sequence[str]) -> Rows:
        """int32[n], the ids of strings; those that are new get the next ones."""
        return np.fromiter(map(self.ids.__getitem__, strings), np.int32, len(strings))

    def bags(self, keys: pa.ListArray, counts: pa.ListArray) -> Bags:
        """Bags of a batch over the ids of this vocabulary; new strings are added."""
        new_ids = self.add(keys.flatten().dictionary.to_pylist())
        bags = list_bags(keys, counts)
        return Bags(new_ids[bags.rows] if len(bags.rows) else bags.rows, bags.weights, bags.offsets)
