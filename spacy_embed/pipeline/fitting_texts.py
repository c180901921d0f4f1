"""The texts that a component is fitted on: a corpus that is named, or spaCy's training examples."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spacy.training import Example

from spacy_embed.retrieval.corpus import read_corpus


def texts_to_fit_on(corpus: str | None, get_examples: Callable[[], Iterable[Example]]) -> Iterator[str] | None:
    """The texts of a corpus or, where none is named, of examples; None where there is only spaCy's dummy example.

    Raises:
        InputError: The corpus is missing or malformed.
    """
    if corpus is not None:
        return (document.full_text for document in read_corpus(Path(corpus)))
    docs = [example.reference for example in get_examples()]
    is_dummy = len(docs) == 1 and [token.text for token in docs[0]] == ["x", "y", "z"]
    return None if is_dummy or not docs else (doc.text for doc in docs)
