"""The ``doc_embedder`` component: documents, spans and tokens as weighted bags of rows of a vector table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.pipeline.composed_words import ComposedWords
from spacy_embed.pipeline.doc_counts import ChosenSenses, DocCounts, count_docs
from spacy_embed.pipeline.doc_values import set_values
from spacy_embed.pipeline.embedder_state import TABLE_FOLDER, EmbedderState, state_of_bytes, state_of_folder
from spacy_embed.pipeline.extensions import attach, install_hooks, register_extensions, remember
from spacy_embed.pipeline.fitting_texts import texts_to_fit_on
from spacy_embed.pipeline.keyword_weights import KeywordWeights
from spacy_embed.pipeline.lookup_forms import LookupForms
from spacy_embed.pipeline.sense_models import senses_for
from spacy_embed.pipeline.sense_tagger import SenseTagger
from spacy_embed.pipeline.spacy_table import SpacyTable
from spacy_embed.pipeline.token_rows import KnownRows, forms_of
from spacy_embed.pipeline.word_frequencies import row_frequencies
from spacy_embed.state import state_to_bytes
from spacy_embed.training.encoder_file import load_encoder
from spacy_embed.types import Floats2d, State, Weights
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_bags import SenseChoice
from spacy_embed.vectors.table import VectorTable
from spacy_embed.weighting import Sif

__all__ = ["DocEmbedder", "attach"]


class DocEmbedder:
    """Sets ``doc._.embedding``, ``doc._.bag`` and ``doc._.coverage``, and the hooks behind ``doc.similarity``.

    A token that the table lacks has a vector all the same where the table composes it from n-grams (FastText, floret):
    it counts as found in ``doc._.coverage``, weighs as a word that no document of the fitted corpus holds, and its row
    is the table's number of rows plus its place in ``doc._.composed``, the Doc's list of such words.

    With ``senses``, bags are over the senses of words: what a token counts is spread over them by how probable they are
    in its context, and idf is that of senses. Spans and tokens have the senses that the Doc gave them.

    Args:
        nlp: The pipeline that it is part of.
        vectors: Path of a table or vector file, opened when it is first needed; None for ``nlp.vocab.vectors``.
        embedding: From bags of counts to embeddings; fitted by ``nlp.initialize`` or ``fit``.
        keywords: Which tokens count.
        name: The component's name.
        senses: How tokens count for the senses of their words, where ``vectors`` is a table with senses; None: each
            for the row of its word, which is that of the most frequent sense.
    """

    def __init__(
        self,
        nlp: Language,
        vectors: str | None,
        embedding: BagEmbedding,
        keywords: KeywordWeights,
        name: str = "doc_embedder",
        senses: SenseChoice | None = None,
    ) -> None:
        self.nlp = nlp
        self.name = name
        self.embedding = embedding
        self.keywords = keywords
        self.senses = senses
        self._vectors = vectors
        self._table: VectorTable | None = None
        self._rows = KnownRows()
        self._composed = ComposedWords()
        self._chosen: ChosenSenses | None = None
        self._fingerprint: tuple[State, str] | None = None
        remember(self)

    @property
    def table(self) -> VectorTable:
        """The vector table in use.

        Raises:
            InputError: There is none: no path in the config, and no vectors in the vocabulary; or it is unusable.
        """
        if self._table is None and self._vectors is not None:
            self._table = load_vectors(self._vectors)
        if self._table is None:
            if not self.nlp.vocab.vectors.n_keys:
                raise InputError(
                    f"'{self.name}' has no vectors: set 'vectors' in its config to a table or vector file, "
                    "or load a pipeline that has vectors of its own."
                )
            self._table = SpacyTable(self.nlp.vocab)
        return self._table

    @table.setter
    def table(self, table: VectorTable) -> None:
        self._table = table
        self._forget()

    @property
    def chosen_senses(self) -> ChosenSenses | None:
        """The senses of the table and how tokens count for them; None without ``senses``.

        Raises:
            InputError: The table has none, or is unusable or of another language.
        """
        if self._chosen is None and self.senses is not None:
            self._chosen = ChosenSenses(senses_for(self.nlp.lang, self.table), self.senses)
        return self._chosen

    @property
    def fingerprint(self) -> str:
        """What Docs carry to find this component again: a hash of the table, the fitted state and the settings."""
        changing = {"t": self.table.fingerprint, **({"s": [self.senses, self._window()]} if self.senses else {})}
        if self._fingerprint is None or self._fingerprint[0] != changing:
            parts = {"e": self.embedding.state(), "k": self.keywords.state(), **changing}
            self._fingerprint = changing, blake2b(state_to_bytes(parts), digest_size=16).hexdigest()
        return self._fingerprint[1]

    def _window(self) -> int | None:
        """Of the tagger with the same model, whose senses are taken; None for that of training."""
        taggers = [component for _, component in self.nlp.pipeline if isinstance(component, SenseTagger)]
        return next((tagger.window for tagger in taggers if tagger.knows(self.table.fingerprint)), None)

    def knows(self, fingerprint: str | None) -> bool:
        """Whether Docs of this fingerprint are its own."""
        try:
            return fingerprint is not None and self.fingerprint == fingerprint
        except InputError:
            # its own vectors are missing or damaged, which is not the asking Doc's concern
            return False

    def __call__(self, doc: Doc) -> Doc:
        """Embed one Doc."""
        return self._embed([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Embed many Docs, a matrix product a batch."""
        for batch in minibatch(stream, size=batch_size):
            yield from self._embed(list(batch))

    def embed_bare(self, doc: Doc) -> Doc:
        """Embed a Doc that lost its forms with its user data (``Span.as_doc``)."""
        if doc._.forms is None:
            for _, component in self.nlp.pipeline:
                if isinstance(component, LookupForms | SenseTagger):
                    component(doc)
        return self(doc)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        corpus: str | None = None,
        encoder: str | None = None,
    ) -> None:
        """Fit the weighting (idf, frequencies, components) on a stated corpus, and take an encoder's word weights.

        Args:
            get_examples: Training examples, whose texts are used when no corpus is named.
            nlp: The pipeline.
            corpus: Path of a corpus that ``spacy-embed index`` reads.
            encoder: Path of an encoder that ``spacy-embed fit --out`` learned from judgements; for method ``tfidf``.

        Raises:
            InputError: It needs a corpus and got none, or only spaCy's dummy example; or the encoder is of another
                language, dimension or method.
        """
        if self._vectors is not None:
            _ = self.table, self.chosen_senses  # a missing table is better found now than at the first Doc
        texts = texts_to_fit_on(corpus, get_examples) if self.embedding.learns else None
        if texts is not None:
            self.fit_texts(texts)
        elif not self.embedding.is_fitted:
            raise InputError(
                f"'{self.name}' needs a corpus to fit '{self.embedding.weighting.name}' on, and got none "
                "(spaCy's dummy example does not count): pass examples to nlp.initialize, or set corpus under "
                f"[initialize.components.{self.name}]."
            )
        if encoder is not None:
            self.take_encoder(Path(encoder))

    def take_encoder(self, file: Path) -> None:
        """Weigh and map as an encoder learned to, over the TF-IDF that is fitted here; see ``initialize``."""
        if self.senses is not None:
            raise InputError(
                f"{file} weighs words, and this embedder counts senses: leave 'senses' or the encoder out."
            )
        encoder = load_encoder(file)
        if encoder.lang != self.nlp.lang:
            raise InputError(f"{file} was fitted on words of language {encoder.lang!r}, but this is {self.nlp.lang!r}.")
        self.embedding = encoder.embedding(self.embedding, self.table)
        self._forget()

    def take_frequencies(self, file: Path) -> None:
        """Weigh by the counts of words in a TSV instead of those of a corpus; for method ``sif``. Raises InputError."""
        weighting = self.embedding.weighting
        if not isinstance(weighting, Sif):
            raise InputError(f"'frequencies' belongs to method 'sif', but the method is '{weighting.name}'.")
        senses = self.chosen_senses.table if self.chosen_senses else None
        fitted = weighting.fit_frequencies(row_frequencies(file, self.table, senses))
        self.embedding = replace(self.embedding, weighting=fitted)
        self._forget()

    def fit_texts(self, texts: Iterable[str]) -> None:
        """Fit on texts, passed through the components that stand before this one."""
        names = self.nlp.pipe_names
        later = names[names.index(self.name) :] if self.name in names else []
        with self.nlp.select_pipes(disable=later):
            self.fit(self.nlp.pipe(texts))

    def fit(self, docs: Iterable[Doc]) -> None:
        """Fit the weighting and the common components on the words that the table holds in Docs with lookup forms."""
        batches = [self._count(list(batch), compose=False).bags for batch in minibatch(docs, size=1000)]
        bags = Bags.concatenate(batches)
        if not len(bags.rows):
            raise InputError(
                f"'{self.name}' was fitted on {len(bags)} documents, none with a word of the vector table: "
                "check that the table is of this language and that its keys fit the lookup forms."
            )
        self.embedding = self.embedding.fit(bags, self.table.rows)
        self._forget()

    def token_weights(self, doc: Doc, start: int, stop: int) -> Weights | None:
        """What each token counts, or None when all count 1."""
        return self.keywords(doc, forms_of(doc), start, stop)

    def weigh(self, counts: Bags) -> Bags:
        """Bags with the weights of the method, over the table's rows and composed ones."""
        return self._composed.weigh(counts, self.embedding.weighting, len(self.table.rows))

    def composed_rows(self, words: Sequence[str]) -> Floats2d:
        """float32[words, dim], vectors of composed words."""
        return self._composed.rows(words, self.table)

    def embeddings(self, counts: Bags, words: Sequence[str]) -> Floats2d:
        """float32[n, dim] of bags of counts over the table's rows and, numbered on from them, composed ``words``."""
        return self._composed.embeddings(counts, words, self.embedding, self.table)

    def _embed(self, docs: list[Doc]) -> list[Doc]:
        counts = self._count(docs)
        embeddings = self.embeddings(counts.bags, counts.composed)
        set_values(docs, counts, self.weigh(counts.bags), embeddings, len(self.table.rows), self.fingerprint)
        for doc in docs:
            install_hooks(doc)
        return docs

    def _count(self, docs: list[Doc], *, compose: bool = True) -> DocCounts:
        composed = self._composed if compose else None
        return count_docs(docs, self.table, self._rows, self.keywords, composed, self.chosen_senses)

    def _forget(self) -> None:
        self.__dict__.update(self._nothing_known())

    @staticmethod
    def _nothing_known() -> dict[str, Any]:
        return {"_rows": KnownRows(), "_composed": ComposedWords(), "_chosen": None, "_fingerprint": None}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **self._nothing_known()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a worker process may see no factory call before this
        register_extensions()
        self.__dict__.update(state)
        remember(self)

    # the table goes by path where it has one: bytes are what spaCy sends to worker processes

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Fitted state, and the table: its path when it is a folder, else all of it."""
        return self._state.to_bytes(with_table=TABLE_FOLDER not in exclude)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "DocEmbedder":
        """Restore ``to_bytes``. Raises InputError when the table is gone or another."""
        return self._restore(state_of_bytes(data, f"'{self.name}' bytes"))

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Fitted state, and a copy of the table so that the folder can travel (not with ``exclude=["vectors"]``)."""
        self._state.to_disk(Path(path), with_table=TABLE_FOLDER not in exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "DocEmbedder":
        """Restore ``to_disk``. Raises InputError when something is missing, damaged or another table."""
        state = state_of_folder(Path(path))
        expected = state.fingerprint
        if state.table is None and expected is not None and self.table.fingerprint != expected:
            raise InputError(f"'{self.name}' was saved with another vector table than {expected}: give it that one.")
        return self._restore(state)

    @property
    def _state(self) -> EmbedderState:
        table = self._table if self._vectors is None else self.table
        return EmbedderState(self.embedding, self.keywords, table, senses=self.senses)

    def _restore(self, state: EmbedderState) -> "DocEmbedder":
        self.embedding, self.keywords, self.senses = state.embedding, state.keywords, state.senses
        if state.table is not None:
            self._table = state.table
        self._forget()
        return self
