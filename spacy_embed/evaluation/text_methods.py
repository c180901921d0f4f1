"""Ways to compare texts, by name: embeddings, with common components removed or not, and comparisons word by word."""

from dataclasses import dataclass, field, replace

from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.evaluation.text_bags import Vocabulary
from spacy_embed.training.encoder_file import EncoderFile
from spacy_embed.weighting import Sif, TfIdf

WORD_BY_WORD = ("wmd", "soft-cosine")
SENTENCE = "sentence"
"""Whole texts through the built-in sentence encoder: no bag of rows, but what those are compared with."""
FITTED = "fitted"
"""What an encoder file learned, over TF-IDF."""

KNOWN = (
    f"{', '.join(EMBEDDINGS)}, each with -N to remove N common components (sif alone removes 1), soft-cosine and wmd, "
    f"each with -tfidf or -sif, {FITTED}, {SENTENCE}"
)


@dataclass(frozen=True)
class TextMethod:
    """A way to compare texts.

    Attributes:
        name: As the user gave it.
        comparison: ``cosine`` of embeddings, ``wmd``, ``soft-cosine`` or ``sentence``.
        embedding: How words are weighed; for ``cosine`` all of it counts. Unfitted.
    """

    name: str
    comparison: str
    embedding: BagEmbedding = field(default_factory=BagEmbedding)

    def fitted(self, corpus: Bags, vocabulary: Vocabulary, encoder: EncoderFile | None = None) -> BagEmbedding:
        """The embedding, fitted on bags of counts.

        Raises:
            InputError: An encoder is asked for and is missing, or has another dimension.
        """
        fitted = self.embedding.fit(corpus, vocabulary.rows)
        if self.name != FITTED:
            return fitted
        if encoder is None:
            raise InputError(f"Method {FITTED!r} needs --encoder, a file that 'fit-pairs' or 'fit --out' wrote.")
        if len(encoder.projection) != vocabulary.rows.shape[1]:
            raise InputError(
                f"The encoder maps {len(encoder.projection)} dimensions, but the table has {vocabulary.rows.shape[1]}."
            )
        weighting = replace(fitted.weighting, factors=vocabulary.factors(encoder))  # type: ignore[type-var]
        return replace(fitted, weighting=weighting, projection=encoder.projection)


def text_method(name: str, *, normalize: bool = True, a: float | None = None) -> TextMethod:
    """A method by its name, see ``KNOWN``.

    Args:
        name: The name.
        normalize: Use rows of length 1.
        a: SIF's, its default when absent.

    Raises:
        InputError: There is no such method.
    """
    base, _, rest = name.rpartition("-")
    if name == SENTENCE:
        return TextMethod(name, SENTENCE)
    if name == FITTED:
        return TextMethod(name, "cosine", replace(EMBEDDINGS["tfidf"], normalize=normalize))
    if name in WORD_BY_WORD:
        return TextMethod(name, name, BagEmbedding(normalize=normalize))
    if base in WORD_BY_WORD and rest in ("tfidf", "sif"):
        return TextMethod(name, base, BagEmbedding(TfIdf() if rest == "tfidf" else _sif(a), normalize=normalize))
    embedding = EMBEDDINGS.get(base if rest.isdecimal() else name)
    if embedding is None:
        raise InputError(f"Unknown method {name!r}: expected some of {KNOWN}.")
    n_components = int(rest) if rest.isdecimal() else embedding.n_components
    weighting = _sif(a) if isinstance(embedding.weighting, Sif) else embedding.weighting
    return TextMethod(
        name, "cosine", replace(embedding, weighting=weighting, n_components=n_components, normalize=normalize)
    )


def _sif(a: float | None) -> Sif:
    return Sif() if a is None else Sif(a=a)


def text_methods(names: str, *, normalize: bool = True, a: float | None = None) -> list[TextMethod]:
    """Methods by their names with commas between. Raises InputError for an unknown or repeated one."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise InputError(f"No method is named: expected some of {KNOWN}.")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"A method is named twice in {names!r}.")
    return [text_method(name, normalize=normalize, a=a) for name in wanted]
