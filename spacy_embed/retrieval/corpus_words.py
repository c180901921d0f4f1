"""What an index must know of a corpus before its documents: the words, terms and languages."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spacy_embed.atomic_files import write_atomically


@dataclass(frozen=True)
class CorpusWords:
    """The vocabulary of a corpus; that of its parts merges to that of the whole, in any order.

    Attributes:
        forms: The lookup forms of each language, ascending; languages ascending.
        terms: BM25's terms, ascending.
        languages: Documents by language, in order of first appearance.
    """

    forms: dict[str, list[str]]
    terms: list[str]
    languages: dict[str, int]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(self.languages.values())

    def save(self, file: Path) -> None:
        """Write them in one step."""
        write_atomically(file, json.dumps(asdict(self), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    @classmethod
    def load(cls, file: Path) -> "CorpusWords":
        """Read them."""
        return cls(**json.loads(file.read_text(encoding="utf-8", errors="surrogatepass")))

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
            sorted(set().union(*(part.terms for part in parts))),
            languages,
        )
