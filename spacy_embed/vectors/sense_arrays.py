"""The arrays by which a word table carries senses.

The rows of a word stand together, the most probable sense first; that row is the word's own, so whoever knows nothing
of senses works with it. The arrays beside the rows are memory-mapped with them:

senses.offsets      int64[words + 1], where the rows of each word begin and end
senses.priors       float32[rows], how probable each sense is without a context; a word's sum to 1
senses.slots        int32[rows], the number of each sense in the model that was trained, from 0
senses.counts       float32[words, slots], its tokens there, of senses that were not kept too
senses.frequencies  int64[words]
senses.outputs      float32[nodes, dim], vectors of the inner nodes of hierarchical softmax
senses.nodes, senses.codes, senses.ways: int32[steps], int8[steps], int64[words + 1], the way to each word (``Ways``)
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.stick_breaking import expected_priors
from spacy_embed.vectors.ways import Ways
from spacy_embed.vectors.word_table import WordTable

NAME = "senses"
"""Of the parameters in a table's metadata; its extras begin with it."""

OUTPUTS = f"{NAME}.outputs"

_DTYPES = {
    "offsets": np.int64,
    "priors": np.float32,
    "slots": np.int32,
    "counts": np.float32,
    "frequencies": np.int64,
    "outputs": np.float32,
    "nodes": np.int32,
    "codes": np.int8,
    "ways": np.int64,
}


def build_sense_table(
    words: Sequence[str],
    rows: Floats2d,
    *,
    row_words: Rows,
    slots: Rows,
    counts: Floats2d,
    frequencies: Ints1d,
    outputs: Floats2d,
    ways: Ways,
    alpha: float | Doubles1d,
    discount: float = 0.0,
    parameters: Mapping[str, Any],
    source: Mapping[str, Any],
) -> WordTable:
    """A table in memory of the senses that are kept of a model.

    Args:
        words: Distinct words.
        rows: float32[senses kept, dim], in any order.
        row_words: int32[senses kept], the number of the word of each.
        slots: int32[senses kept], its number among the word's senses in the model.
        counts: float32[words, slots], tokens of all senses.
        frequencies: int64[words].
        outputs: float32[nodes, dim].
        ways: The way to each word.
        alpha: Concentration of the prior, one or float64[words].
        discount: Of the prior.
        parameters: ``metadata["senses"]``, plain JSON values.
        source: ``metadata["source"]``.

    Raises:
        InputError: A word stands twice, or a vector is not finite.
    """
    priors = expected_priors(counts, alpha, discount)[row_words, slots]
    order = np.lexsort((slots, -priors, row_words))
    row_words, priors = row_words[order], priors[order]
    offsets = np.searchsorted(row_words, np.arange(len(words) + 1)).astype(np.int64)
    totals = np.bincount(row_words, priors, len(words))
    shares = np.divide(priors, totals[row_words], out=np.zeros_like(priors), where=totals[row_words] > 0)
    own = np.where(np.diff(offsets) > 0, offsets[:-1], -1).astype(np.int32)
    arrays = {
        "offsets": offsets,
        "priors": shares,
        "slots": slots[order],
        "counts": counts,
        "frequencies": frequencies,
        "outputs": outputs,
        "nodes": ways.nodes,
        "codes": ways.codes,
        "ways": ways.offsets,
    }
    extras = {f"{NAME}.{name}": np.ascontiguousarray(array, _DTYPES[name]) for name, array in arrays.items()}
    metadata = {"source": dict(source), NAME: dict(parameters)}
    return WordTable.build(words, rows[order], word_rows=own, metadata=metadata, extras=extras)


def has_senses(table: WordTable) -> bool:
    """Whether a table says that it carries senses."""
    return NAME in table.metadata or any(name.startswith(f"{NAME}.") for name in table.extras)


def without_senses(table: WordTable) -> WordTable:
    """The same words and rows, without what finds senses."""
    metadata = {name: value for name, value in table.metadata.items() if name not in (NAME, "fingerprint", "extras")}
    extras = {name: array for name, array in table.extras.items() if not name.startswith(f"{NAME}.")}
    return WordTable(table.keys, table.rows, metadata, None, extras)


def sense_fingerprint(fingerprint: str, extras: Mapping[str, NDArray[Any]]) -> str:
    """A fingerprint of words and rows, and of what finds senses; as it is where there is nothing of the kind."""
    names = sorted(name for name in extras if name.startswith(f"{NAME}."))
    if not names:
        return fingerprint
    digest = blake2b(fingerprint.encode(), digest_size=16)
    for name in names:
        array = np.ascontiguousarray(extras[name])
        digest.update(repr((name, array.shape, array.dtype.str)).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def sense_arrays(table: WordTable) -> dict[str, NDArray[Any]]:
    """The arrays behind a table's senses, checked, by their names without ``senses.``.

    Raises:
        InputError: It carries none, or they are damaged.
    """
    where = f"The table at {table.path}" if table.path is not None else "The table"
    if not has_senses(table):
        raise InputError(f"{where} has no senses: train one with 'spacy-embed train adagram'.")
    arrays = {name: table.extras.get(f"{NAME}.{name}") for name in _DTYPES}
    if fault := _fault(table, arrays):
        raise InputError(f"{where} is damaged, {fault}: write it again.")
    return {name: np.asarray(array) for name, array in arrays.items()}


def _fault(table: WordTable, arrays: Mapping[str, NDArray[Any] | None]) -> str:
    """What is wrong with the arrays of senses; "" for nothing."""
    for name, dtype in _DTYPES.items():
        array = arrays[name]
        if array is None:
            return f"{NAME}.{name} is missing"
        if array.dtype != dtype or array.ndim != (2 if name in ("counts", "outputs") else 1):
            return f"{NAME}.{name} is {array.dtype.name}{list(array.shape)}"
    there = {name: np.asarray(array) for name, array in arrays.items()}
    n_words, n_rows, n_steps = len(table), len(table.rows), len(there["nodes"])
    lengths = {
        **{"offsets": n_words + 1, "ways": n_words + 1, "counts": n_words, "frequencies": n_words},
        **{"priors": n_rows, "slots": n_rows, "codes": n_steps},
    }
    for name, length in lengths.items():
        if len(there[name]) != length:
            return f"{NAME}.{name} has {len(there[name])} items for {length}"
    if there["outputs"].shape[1] != table.dim:
        return f"{NAME}.outputs have {there['outputs'].shape[1]} dimensions for {table.dim}"
    for name, end in (("offsets", n_rows), ("ways", n_steps)):
        places = there[name]
        if places[0] != 0 or places[-1] != end or np.any(places[1:] < places[:-1]):
            return f"{NAME}.{name} do not rise from 0 to {end}"
    for name, least, stop in (
        ("nodes", 0, len(there["outputs"])),
        ("codes", 0, 2),
        ("slots", 0, there["counts"].shape[1]),
    ):
        if len(there[name]) and not least <= int(there[name].min()) <= int(there[name].max()) < stop:
            return f"{NAME}.{name} are not all from {least} to {stop - 1}"
    own = np.where(np.diff(there["offsets"]) > 0, there["offsets"][:-1], -1)
    # a word whose first vector is zero has no row of its own
    if not np.all((table.keys.word_rows == own) | (np.asarray(table.keys.word_rows) < 0)):
        return f"{NAME}.offsets are not those of its words"
    priors = there["priors"]
    if not (np.isfinite(priors).all() and np.all(priors >= 0) and np.all(priors <= 1)):
        return f"{NAME}.priors are no probabilities"
    if not np.isfinite(there["outputs"]).all():
        return f"{NAME}.outputs hold NaN or infinity"
    if not isinstance(table.metadata.get(NAME), Mapping):
        return f"its metadata say nothing of {NAME}"
    return ""
