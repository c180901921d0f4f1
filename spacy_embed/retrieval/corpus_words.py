"""What an index must know of a corpus before its documents: the words, terms and languages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from spacy_embed.retrieval.encoded import SEPARATOR, joined_strings


@dataclass(frozen=True)
class CorpusWords:
    """The vocabulary of a corpus; that of its parts merges to that of the whole, in any order.

    Attributes:
        forms: The lookup forms of each language, ascending; languages ascending.
        terms: BM25's terms, ascending; large strings.
        languages: Documents by language, in order of first appearance.
    """

    forms: dict[str, list[str]]
    terms: pa.Array
    languages: dict[str, int]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(self.languages.values())

    @classmethod
    def of(cls, keys: pa.Array, terms: pa.Array, languages: Mapping[str, int]) -> "CorpusWords":
        """From distinct keys, ``lang:form``, and terms, in any order."""
        forms: dict[str, list[str]] = {lang: [] for lang in sorted(languages)}
        for key in _ascending(keys).to_pylist():
            lang, _, form = key.partition(SEPARATOR)
            forms[lang].append(form)
        return cls(forms, _ascending(terms), dict(languages))

    @classmethod
    def merge(cls, parts: "Sequence[CorpusWords]") -> "CorpusWords":
        """The words of several parts, which stand as in the corpus."""
        langs = sorted({lang for part in parts for lang in part.forms})
        languages: dict[str, int] = {}
        for part in parts:
            for lang, n in part.languages.items():
                languages[lang] = languages.get(lang, 0) + n
        return cls(
            {lang: sorted(set().union(*(part.forms.get(lang, ()) for part in parts))) for lang in langs},
            _ascending(pc.unique(joined_strings(part.terms for part in parts))),
            languages,
        )


def _ascending(strings: pa.Array) -> pa.Array:
    # by bytes of UTF-8, which is by code points
    return strings.take(pc.array_sort_indices(strings))
