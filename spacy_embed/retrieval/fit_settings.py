"""How an index weighs words, before anything is fitted: the settings of its embeddings and of BM25."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.weighting import Sif, Smoothing, TfIdf


@dataclass(frozen=True)
class FitSettings:
    """Settings of what is fitted on a corpus. Soft BM25 keeps BM25's usual k1 and b.

    Attributes:
        k1: BM25's: how soon repetitions stop counting, >= 0.
        b: BM25's: how much length counts, 0 to 1.
        idf: The formula of TF-IDF's idf, see ``weighting.inverse_document_frequency``.
        sublinear: TF-IDF takes 1 + ln(tf) for tf.
        tfidf_components: How many common components TF-IDF embeddings lose.
        sif_a: SIF's a, above 0.
        sif_components: How many common components SIF embeddings lose.

    Raises:
        InputError: A value is out of its range.
    """

    k1: float = 1.2
    b: float = 0.75
    idf: Smoothing = "smooth"
    sublinear: bool = False
    tfidf_components: int = 0
    sif_a: float = 1e-3
    sif_components: int = 1

    def __post_init__(self) -> None:
        self.bm25(), Sif(self.sif_a)
        if self.idf not in get_args(Smoothing):
            raise InputError(f"Unknown idf smoothing {self.idf!r}: expected one of {', '.join(get_args(Smoothing))}.")
        for name in ("tfidf_components", "sif_components"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}.")

    @classmethod
    def recorded(cls, changed: Mapping[str, Any]) -> "FitSettings":
        """From what ``changed`` gave."""
        return cls(**changed)

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that are not the usual ones, by name."""
        usual = FitSettings()
        return {name: value for name, value in vars(self).items() if value != getattr(usual, name)}

    def bm25(self) -> Bm25Weighting:
        """BM25, unfitted."""
        return Bm25Weighting(self.k1, self.b)

    def embeddings(self, *, normalize: bool = False) -> dict[str, BagEmbedding]:
        """The embeddings by name, unfitted.

        Args:
            normalize: Use rows of length 1.
        """
        tuned = {
            "tfidf": BagEmbedding(TfIdf(self.idf, self.sublinear), "mean", self.tfidf_components),
            "sif": BagEmbedding(Sif(self.sif_a), "mean", self.sif_components),
        }
        return {name: replace(embedding, normalize=normalize) for name, embedding in (EMBEDDINGS | tuned).items()}
