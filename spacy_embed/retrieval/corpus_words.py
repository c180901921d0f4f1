"""What an index must know of a corpus before its documents: the words, terms and languages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.retrieval.encoded import joined_strings, key_of
from spacy_embed.threads import map_ahead
from spacy_embed.types import Rows


@dataclass(frozen=True)
class CorpusWords:
    """The vocabulary of a corpus; that of its parts merges to that of the whole, in any order.

    Attributes:
        forms: The lookup forms of each language, ascending, as large strings; languages ascending.
        terms: BM25's terms, ascending; large strings.
        languages: Documents by language, in order of first appearance.
    """

    forms: dict[str, pa.Array]
    terms: pa.Array
    languages: dict[str, int]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(self.languages.values())

    @classmethod
    def of(cls, keys: pa.Array, terms: pa.Array, languages: Mapping[str, int], threads: int = 1) -> "CorpusWords":
        """From distinct keys, ``lang:form``, and terms, large strings in any order."""
        keys, terms = map_ahead(_ascending, (keys, terms), threads)
        prefixes = {lang: key_of(lang, "") for lang in sorted(languages)}
        keys_of = {lang: keys.filter(pc.starts_with(keys, prefix)) for lang, prefix in prefixes.items()}
        forms = {lang: pc.utf8_slice_codeunits(keys_of[lang], len(prefix)) for lang, prefix in prefixes.items()}
        return cls(forms, terms, dict(languages))

    @classmethod
    def merge(cls, parts: "Sequence[CorpusWords]") -> "CorpusWords":
        """The words of several parts, which stand as in the corpus."""
        langs = sorted({lang for part in parts for lang in part.forms})
        languages: dict[str, int] = {}
        for part in parts:
            for lang, n in part.languages.items():
                languages[lang] = languages.get(lang, 0) + n
        forms = {lang: _union(part.forms[lang] for part in parts if lang in part.forms) for lang in langs}
        return cls(forms, _union(part.terms for part in parts), languages)


def _union(of_parts: Iterable[pa.Array]) -> pa.Array:
    return _ascending(pc.unique(joined_strings(of_parts)))


def _ascending(strings: pa.Array) -> pa.Array:
    # by bytes of UTF-8, which is by code points
    return strings.take(pc.array_sort_indices(strings))


def ascending_places(strings: pa.Array) -> Rows:
    """int32[n], where each of some distinct strings stands when they are in ascending order."""
    places = np.empty(len(strings), np.int32)
    places[pc.array_sort_indices(strings).to_numpy()] = np.arange(len(strings), dtype=np.int32)
    return places
