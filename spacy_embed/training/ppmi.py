"""Positive pointwise mutual information of words and contexts, without a dense matrix."""

from typing import Any

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.training.cooccurrence import Cooccurrences

_ENTRIES_AT_ONCE = 1 << 22


def ppmi(counts: Cooccurrences, *, shift: float = 1.0, smoothing: float = 0.75) -> Any:
    """``max(log(P(w, c) / (P(w) P(c))) - log(shift), 0)`` of every entry (Levy, Goldberg and Dagan 2015).

    Args:
        counts: X[word, context].
        shift: k of shifted PPMI, the negative samples of word2vec that it stands for; 1 for none, and below 1 entries
            are raised.
        smoothing: P(c) is of counts to this power (section 3.2), so that rare contexts weigh less; 1 for none.

    Returns:
        A SciPy CSR matrix of float32 over the same words and contexts; entries that are 0 are not in it.

    Raises:
        InputError: A setting is out of range.
    """
    from scipy.sparse import csr_matrix

    check_settings(shift, smoothing)
    n_words = len(counts.offsets) - 1
    of_word, of_context = np.zeros(n_words), np.zeros(n_words)
    for start, end in counts.ranges(_ENTRIES_AT_ONCE):
        values = counts.counts[start:end]
        of_word += np.bincount(counts.rows(start, end), values, n_words)
        of_context += np.bincount(counts.columns[start:end], values, n_words)
    # log P(w, c) - log P(w) - log P(c) = log X - log X[w, :] - log P(c): the sum of all counts falls out
    log_word = np.log(np.where(of_word > 0, of_word, 1.0))
    smoothed = np.where(of_context > 0, of_context**smoothing, 0.0)
    log_context = np.log(np.where(of_context > 0, smoothed / smoothed.sum(), 1.0)) + np.log(shift)
    columns, data, per_word = [], [], np.zeros(n_words, np.int64)
    for start, end in counts.ranges(_ENTRIES_AT_ONCE):
        rows, contexts = counts.rows(start, end), np.asarray(counts.columns[start:end])
        information = np.log(counts.counts[start:end].astype(np.float64)) - log_word[rows] - log_context[contexts]
        values = information.astype(np.float32)
        kept = values > 0
        columns.append(contexts[kept])
        data.append(values[kept])
        per_word += np.bincount(rows[kept], minlength=n_words)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(per_word)])
    return csr_matrix((np.concatenate(data), np.concatenate(columns), offsets), shape=(n_words, n_words))


def check_settings(shift: float, smoothing: float) -> None:
    """Raise InputError when a setting of ``ppmi`` is out of range: before a corpus is counted for it."""
    if not 0 < shift < float("inf"):
        raise InputError(f"shift must be above 0 and finite, got {shift}.")
    if not 0 <= smoothing <= 1:
        raise InputError(f"smoothing must be between 0 and 1, got {smoothing}.")
