"""SenseTable: a word table whose rows are the senses of its words, with what tells them apart in a context."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d, Offsets, Rows, Weights
from spacy_embed.vectors.key_index import KeyIndex
from spacy_embed.vectors.neighbors import Neighbor, Neighborhood
from spacy_embed.vectors.sense_arrays import NAME, sense_arrays, without_senses
from spacy_embed.vectors.ways import Ways
from spacy_embed.vectors.word_table import WordTable


class Sense(NamedTuple):
    """A sense of a word."""

    row: int
    """Of its vector in the table."""
    number: int
    """From 1, by falling prior."""
    prior: float
    """How probable it is without a context."""


class Posteriors(NamedTuple):
    """How probable the senses of tokens are, in CSR layout: a bag of rows for each token."""

    rows: Rows
    """int32[n], rows of the table."""
    probabilities: Weights
    """float32[n], summing to 1 for each token of a known word."""
    offsets: Offsets
    """int64[tokens + 1], where the rows of each token begin and end; nothing for an unknown word."""

    def slice(self, start: int, stop: int) -> "Posteriors":
        """Those of tokens ``start`` to ``stop``; rows and probabilities as views."""
        first, last = self.offsets[start], self.offsets[stop]
        return Posteriors(self.rows[first:last], self.probabilities[first:last], self.offsets[start : stop + 1] - first)

    def copied(self) -> "Posteriors":
        """The same in arrays of their own, which keep no larger ones alive."""
        return Posteriors(self.rows.copy(), self.probabilities.copy(), self.offsets.copy())


@dataclass(frozen=True, eq=False)
class SenseTable:
    """The senses of a table's words; made by ``SenseTable.of``.

    Attributes:
        table: The table.
        offsets: int64[words + 1], where the rows of each word begin and end.
        priors: float32[rows], how probable each sense is without a context.
        frequencies: int64[words], how often each word stood in the training text.
        ways: The way to each word.
        outputs: float32[nodes, dim], vectors of the nodes.
    """

    table: WordTable
    offsets: Ints1d
    priors: Floats1d
    frequencies: Ints1d
    ways: Ways
    outputs: Floats2d

    @classmethod
    def of(cls, table: WordTable) -> "SenseTable":
        """The senses that a table carries.

        Raises:
            InputError: It carries none, or they are damaged.
        """
        arrays = sense_arrays(table)
        ways = Ways(arrays["nodes"], arrays["codes"], arrays["ways"])
        return cls(table, arrays["offsets"], arrays["priors"], arrays["frequencies"], ways, arrays["outputs"])

    @property
    def window(self) -> int:
        """Words to each side that it was trained on."""
        window = self.table.metadata[NAME].get("window")
        return window if isinstance(window, int) and window > 0 else _WINDOW

    @cached_property
    def row_words(self) -> Rows:
        """int32[rows], the number of the word that each row belongs to."""
        return np.repeat(np.arange(len(self.table), dtype=np.int32), np.diff(self.offsets))

    @property
    def n_senses(self) -> Ints1d:
        """int64[words], how many senses each word has."""
        return np.diff(self.offsets)

    def senses(self, word: str) -> list[Sense]:
        """The senses of a word, the most probable one first.

        Raises:
            UnknownWordError: The table does not hold the word.
        """
        number = self._number(word)
        first, last = (int(place) for place in self.offsets[number : number + 2])
        priors = self.priors[first:last].tolist()
        return [Sense(first + k, k + 1, prior) for k, prior in enumerate(priors)]

    def disambiguate(self, word: str, context: Sequence[str]) -> Doubles1d:
        """How probable each sense of a word is among other words.

        Args:
            word: A word of the table.
            context: Words around it, in any order; unknown ones count for nothing.

        Returns:
            float64[senses], as ``senses`` lists them; without a known word in the context, their priors.

        Raises:
            UnknownWordError: The table does not hold the word.
        """
        rows = self.table.find(list(context))
        known = rows[rows >= 0]
        found: Doubles1d = self.disambiguate_all(word, known, np.array([0, len(known)]))[0]
        return found

    def disambiguate_all(self, word: str, rows: Rows, offsets: Offsets) -> Doubles2d:
        """How probable each sense of a word is in each of many contexts.

        Args:
            word: A word of the table.
            rows: int32[words of all contexts], what ``table.find`` gives for known words.
            offsets: int64[contexts + 1], where each context begins and ends.

        Returns:
            float64[contexts, senses], each as ``disambiguate`` has it.

        Raises:
            UnknownWordError: The table does not hold the word.
        """
        from spacy_embed.vectors.sense_kernels import find_senses_in_contexts, new_scratch

        number = self._number(word)
        offsets = np.asarray(offsets, np.int64)
        found = np.empty((len(offsets) - 1, int(self.n_senses[number])), np.float64)
        scratch = new_scratch(self._model, int(np.diff(offsets).max(initial=0)))
        find_senses_in_contexts(number, self.row_words[rows], offsets, self._model, scratch, found)
        return found

    def posteriors(self, ids: Rows, offsets: Offsets, window: int | None = None) -> Posteriors:
        """How probable each sense of each token is, given the words around it.

        Args:
            ids: int32[tokens], what ``table.find`` gives; -1 for an unknown word, which is no part of any context: what
                stands behind it moves up, as in training.
            offsets: int64[texts + 1], where each text begins and ends.
            window: Known words to each side; None for as many as in training.

        Raises:
            InputError: ``window`` is below 1.
        """
        n_of_tokens, probabilities, _ = self._found(ids, offsets, window, with_likelihoods=False)
        ends = np.zeros(len(ids) + 1, np.int64)
        np.cumsum(n_of_tokens, out=ends[1:])
        within = np.arange(ends[-1], dtype=np.int64) - np.repeat(ends[:-1], n_of_tokens)
        firsts = self.offsets[:-1][self.row_words[np.maximum(ids, 0)]] if len(self.row_words) else np.zeros(len(ids))
        rows = np.repeat(firsts, n_of_tokens) + within
        return Posteriors(rows.astype(np.int32), probabilities, ends)

    def log_likelihood(self, ids: Rows, offsets: Offsets, window: int | None = None) -> float:
        """The mean over pairs of a token and a word around it of the logarithm of that word's probability.

        For a token x with the words y_1 ... y_C around it, C of them within the window, it is log of the sum over
        senses k of prior_k times the product of p(y_j given x, k), summed over tokens and divided by the sum of C.

        Args:
            ids: int32[tokens], what ``table.find`` gives; unknown words (-1) are left out first.
            offsets: int64[texts + 1], where each text begins and ends.
            window: Known words to each side; None for as many as in training.

        Returns:
            At most 0; NaN where no two known words stand together.
        """
        _, _, likelihoods = self._found(ids, offsets, window, with_likelihoods=True)
        known = np.asarray(ids) >= 0
        lengths = np.diff(np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])[offsets])
        n_pairs = pair_count(lengths, self.window if window is None else window)
        return float(likelihoods.sum() / n_pairs) if n_pairs else float("nan")

    def sense_key(self, row: int) -> str:
        """What a sense is called: ``word#1`` for the most probable sense of ``word``."""
        word = int(self.row_words[row])
        return f"{self.table.words.word(word)}#{row - int(self.offsets[word]) + 1}"

    def short_key(self, row: int) -> str:
        """What a sense is called where people read it: ``word`` where that has one sense, else ``word#1``."""
        word = int(self.row_words[row])
        is_alone = self.offsets[word + 1] - self.offsets[word] == 1
        return self.table.words.word(word) if is_alone else self.sense_key(row)

    @cached_property
    def keyed(self) -> WordTable:
        """A table of the same rows whose keys are ``word#1``, ``word#2`` ..., without what finds senses."""
        words = list(self.table.words)
        counts = self.n_senses.tolist()
        keys = [f"{word}#{k + 1}" for word, n in zip(words, counts, strict=True) for k in range(n)]
        index = KeyIndex.build(keys, np.arange(len(keys), dtype=np.int32))
        return WordTable(index, self.table.rows, without_senses(self.table).metadata)

    def sense_neighbors(self, row: int, k: int = 10) -> list[Neighbor]:
        """The senses of words nearest to a sense by cosine, by their keys; the nearest first.

        Raises:
            InputError: There is no such row, or ``k`` is below 1.
        """
        if not 0 <= row < len(self.table.rows):
            raise InputError(f"There is no sense in row {row}: the table has rows 0 to {len(self.table.rows) - 1}.")
        return self._neighborhood.of_vectors(self.table.rows[row], k, leave_out=[self.sense_key(row)])[0]

    @cached_property
    def _neighborhood(self) -> Neighborhood:
        return Neighborhood(self.keyed)

    @cached_property
    def _model(self) -> Any:
        from spacy_embed.vectors.sense_kernels import sense_model

        return sense_model(self.table.rows, self.offsets, self.priors, self.outputs, self.ways)

    def _number(self, word: str) -> int:
        row = int(self.table.find([word])[0])
        if row < 0:
            raise UnknownWordError(
                f"{word!r} is not among the {len(self.table)} words of the table: check its case and lookup form."
            )
        return int(self.row_words[row])

    def _found(
        self, ids: Rows, offsets: Offsets, window: int | None, *, with_likelihoods: bool
    ) -> tuple[Ints1d, Floats1d, Doubles1d]:
        """int64[tokens], senses of each; their probabilities; the likelihoods of the contexts of known tokens."""
        from spacy_embed.vectors.sense_kernels import find_senses, new_scratch

        window = self.window if window is None else window
        if window < 1:
            raise InputError(f"window must be at least 1 word, got {window}.")
        ids = np.asarray(ids)
        is_known = ids >= 0
        words = self.row_words[ids[is_known]]
        known_before = np.zeros(len(ids) + 1, np.int64)
        np.cumsum(is_known, out=known_before[1:])
        places = np.zeros(len(words) + 1, np.int64)
        np.cumsum(self.n_senses[words], out=places[1:])
        probabilities = np.empty(int(places[-1]), np.float32)
        likelihoods = np.empty(len(words) if with_likelihoods else 0, np.float64)
        longest = int(np.diff(known_before[offsets]).max(initial=0))
        window = max(min(window, longest), 1)
        scratch = new_scratch(self._model, 2 * window)
        find_senses(words, known_before[offsets], window, self._model, scratch, places, probabilities, likelihoods)
        n_of_tokens = np.zeros(len(ids), np.int64)
        n_of_tokens[is_known] = np.diff(places)
        return n_of_tokens, probabilities, likelihoods


_WINDOW = 5


def pair_count(lengths: Ints1d, window: int) -> int:
    """How many pairs of a token and another one within the window there are in texts of these lengths."""
    n = lengths.astype(np.int64)
    reach = np.minimum(window, np.maximum(n - 1, 0))
    # at distance d, n - d pairs to each side
    return int((reach * (2 * n - reach - 1)).sum())
