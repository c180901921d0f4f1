"""The extension attributes that the components set: numbers on the Doc, views of them on spans and tokens.

Everything lives in ``Doc.user_data`` as plain arrays, strings and lists, so it survives ``n_process``, ``to_bytes``,
pickling and ``DocBin(store_user_data=True)``. Hooks do not: ``attach`` puts them back.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet

import numpy as np
from spacy.tokens import Doc, Span, Token

from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.bags import Bags
    from spacy_embed.pipeline.doc_embedder import DocEmbedder
    from spacy_embed.types import Floats1d

Container: TypeAlias = Doc | Span | Token

_LOADED: "WeakSet[DocEmbedder]" = WeakSet()
"""Loaded embedders: getters have only the Doc and the fingerprint that it carries to go by."""


def register_extensions() -> None:
    """Register the attributes, once.

    Raises:
        InputError: Another package has an attribute of the same name.
    """
    # they import this module
    from spacy_embed.pipeline.doc_values import DOC_VALUES
    from spacy_embed.pipeline.sense_attributes import SENSE_VALUES, token_sense, token_sense_probs, token_sense_vector
    from spacy_embed.pipeline.word_mover import flows_of, transport_of, wmd_of

    for name in (*DOC_VALUES, *SENSE_VALUES):
        _register(Doc, name, default=None)
    _register(Doc, "forms", getter=doc_forms, setter=set_doc_forms)
    _register(Doc, "bag", getter=bag_of)
    _register(Doc, "similarity", method=similarity_of)
    _register(Span, "forms", getter=span_forms)
    _register(Span, "bag", getter=bag_of)
    _register(Span, "embedding", getter=embedding_of)
    _register(Span, "similarity", method=similarity_of)
    for owner in (Doc, Span):
        _register(owner, "wmd", method=wmd_of)
        _register(owner, "wmd_flows", method=flows_of)
        _register(owner, "transport", method=transport_of)
    _register(Token, "form", getter=token_form)
    _register(Token, "embedding", getter=embedding_of)
    _register(Token, "sense", getter=token_sense)
    _register(Token, "sense_probs", getter=token_sense_probs)
    _register(Token, "sense_vector", getter=token_sense_vector)


def _register(owner: Any, name: str, **definition: Any) -> None:
    if not owner.has_extension(name):
        owner.set_extension(name, **definition)
    wanted = tuple(definition.get(key) for key in ("default", "method", "getter", "setter"))
    if owner.get_extension(name) != wanted:
        raise InputError(f"Another package has registered {owner.__name__}._.{name}: the two cannot be used together.")


def remember(embedder: "DocEmbedder") -> None:
    """Let Docs find an embedder by its fingerprint, for as long as it lives."""
    _LOADED.add(embedder)


def _loaded(fingerprint: str | None) -> "DocEmbedder | None":
    return next((embedder for embedder in _LOADED if embedder.knows(fingerprint)), None)


_FORMS_KEY = "spacy_embed.forms"


def doc_forms(doc: Doc) -> tuple[str, ...] | None:
    """The lookup form of each token, or None before ``lookup_forms``."""
    # lists come back from bytes as lists, from a DocBin as tuples
    forms = doc.user_data.get(_FORMS_KEY)
    return None if forms is None else tuple(forms)


def set_doc_forms(doc: Doc, forms: tuple[str, ...]) -> None:
    """Keep the lookup forms with the Doc."""
    doc.user_data[_FORMS_KEY] = forms


def span_forms(span: Span) -> tuple[str, ...]:
    """The forms of a span's tokens."""
    forms: tuple[str, ...] = (span.doc._.forms or ())[span.start : span.end]
    return forms


def token_form(token: Token) -> str:
    """The token's lookup form; empty when it is left out."""
    forms = token.doc.user_data.get(_FORMS_KEY) or ()
    check_tokens(token.doc, len(forms) or len(token.doc))
    return forms[token.i] if forms else ""


def check_tokens(doc: Doc, n_tokens: int) -> None:
    """Raise InputError when a Doc has another number of tokens than it was looked up with."""
    if n_tokens != len(doc):
        raise InputError(
            f"The Doc had {n_tokens} tokens when its forms were looked up and has {len(doc)} now: "
            "merge or split tokens before 'lookup_forms', or run it through the pipeline again."
        )


_MOVER_KEY = "spacy_embed.word_mover"


def mover_settings(doc: Doc) -> dict[str, Any] | None:
    """The settings of ``word_mover``: ``cost``, ``weights`` and ``similarity``; None where it has not been."""
    settings: dict[str, Any] | None = doc.user_data.get(_MOVER_KEY)
    return settings


def set_mover_settings(doc: Doc, settings: dict[str, Any]) -> None:
    """Keep the settings of ``word_mover`` with the Doc."""
    doc.user_data[_MOVER_KEY] = settings


def doc_of(container: Container) -> Doc:
    """The Doc that a Span or Token is of, or the Doc itself. Raises InputError for anything else."""
    if not isinstance(container, Doc | Span | Token):
        raise InputError(f"Expected a Doc, Span or Token, got a {type(container).__name__}.")
    return container if isinstance(container, Doc) else container.doc


def bounds_of(container: Container) -> tuple[Doc, int, int]:
    """The Doc, and which of its tokens: from ``start`` up to ``stop``."""
    if isinstance(container, Doc):
        return container, 0, len(container)
    if isinstance(container, Token):
        return container.doc, container.i, container.i + 1
    return container.doc, container.start, container.end


def embedder_of(doc: Doc) -> "DocEmbedder":
    """The loaded component that embedded the Doc.

    Raises:
        InputError: The Doc was never embedded, or its pipeline is not loaded in this process.
    """
    fingerprint = doc._.embedder
    if fingerprint is None:
        raise InputError("This Doc has no embedding: run it through a pipeline with 'doc_embedder'.")
    embedder = _loaded(fingerprint)
    if embedder is None:
        raise InputError(
            "The pipeline that embedded this Doc is not loaded, or was fitted again since: "
            "load it, or embed the Doc again."
        )
    return embedder


def counts_of(container: Container) -> "Bags":
    """The bag of counts of a Doc, Span or Token, before any weighting.

    Rows from the table's number of rows on are the Doc's composed words (see ``composed_of``).
    """
    from spacy_embed.bags import Bags

    doc, start, stop = bounds_of(container)
    embedder = embedder_of(doc)
    check_tokens(doc, len(doc._.token_rows))
    weights = embedder.token_weights(doc, start, stop)
    if doc._.shares is None:
        return Bags.from_tokens(doc._.token_rows[start:stop], np.array([0, stop - start]), weights)
    from spacy_embed.vectors.sense_bags import sense_bags
    from spacy_embed.vectors.sense_table import Posteriors

    # as in the whole Doc: a span's senses are those of its tokens in their context
    shares = Posteriors(doc._.share_rows, doc._.shares, doc._.share_offsets).slice(start, stop)
    return sense_bags(shares, np.array([0, stop - start]), weights)


def bag_of(container: Container) -> "Bags":
    """One bag: rows of the vector table, and composed ones, with the weights of the pipeline's weighting."""
    from spacy_embed.bags import Bags

    if isinstance(container, Doc) and container._.bag_rows is not None:
        return Bags(
            container._.bag_rows, container._.bag_weights, np.array([0, len(container._.bag_rows)], dtype=np.int64)
        )
    doc = container if isinstance(container, Doc) else container.doc
    return embedder_of(doc).weigh(counts_of(container))


def composed_of(doc: Doc) -> list[str]:
    """The words of a Doc that the table lacks and composes, in the order of their rows."""
    return list(doc._.composed or ())


def embedding_of(container: Container, fingerprint: str | None = None) -> "Floats1d":
    """float32[dim] of a Doc, Span or Token.

    Args:
        container: What to embed.
        fingerprint: The embedder to use when the Doc was never embedded (a copy made by ``Span.as_doc``).
    """
    vector: Floats1d
    if not isinstance(container, Doc | Span | Token):
        vector = np.asarray(container.vector, dtype=np.float32)  # a Lexeme: what spaCy says of it
        return vector
    doc = container if isinstance(container, Doc) else container.doc
    revive(doc, fingerprint)
    if isinstance(container, Doc) and doc._.embedding is not None:
        vector = doc._.embedding
        return vector
    embedder = embedder_of(doc)
    vector = embedder.embeddings(counts_of(container), composed_of(doc))[0]
    return vector


def revive(doc: Doc, fingerprint: str | None, mover: dict[str, Any] | None = None) -> None:
    """Embed a Doc that never was: a copy by ``Span.as_doc`` shares the hooks of its Doc and has lost all else.

    Args:
        doc: Left as it is when it has an embedding, or when the embedder is not loaded.
        fingerprint: The embedder.
        mover: Settings of ``word_mover`` for a Doc whose own hooks have none.
    """
    if doc._.embedding is None and (bare := _loaded(fingerprint)) is not None:
        # or the hooks of a copy, and so those of its Doc, would become cosines again
        mover = getattr(doc.user_hooks.get("similarity"), "keywords", {}).get("mover", mover)
        if mover is not None:
            set_mover_settings(doc, dict(mover))
        bare.embed_bare(doc)


def similarity_of(container: Container, other: Container, fingerprint: str | None = None) -> float:
    """Cosine of two embeddings in [-1, 1]; 0.0 when either is empty or fully out of vocabulary."""
    from spacy_embed.embedding import cosine_similarity

    return cosine_similarity(embedding_of(container, fingerprint), embedding_of(other, fingerprint))


def vector_norm_of(container: Container, fingerprint: str | None = None) -> float:
    """Length of the embedding."""
    return float(np.linalg.norm(embedding_of(container, fingerprint)))


def has_vector_of(container: Container, fingerprint: str | None = None) -> bool:
    """False when the embedding is zero: nothing in it was found in the table."""
    return bool(np.any(embedding_of(container, fingerprint)))


_HOOKS: dict[str, Callable[..., Any]] = {
    "vector": embedding_of,
    "vector_norm": vector_norm_of,
    "has_vector": has_vector_of,
    "similarity": similarity_of,
}


def install_hooks(doc: Doc) -> Doc:
    """Make ``vector``, ``vector_norm``, ``has_vector`` and ``similarity`` of the Doc, its spans and tokens ours."""
    fingerprint = doc._.embedder
    for name, function in _HOOKS.items():
        # a partial of a module's function: light to pickle, and alive in the copies of Span.as_doc
        hook = partial(function, fingerprint=fingerprint)
        doc.user_hooks[name] = hook
        doc.user_span_hooks[name] = hook
        doc.user_token_hooks[name] = hook
    mover = mover_settings(doc)
    if mover is not None and mover["similarity"]:
        from spacy_embed.pipeline.word_mover import mover_similarity_of

        hook = partial(mover_similarity_of, fingerprint=fingerprint, mover=mover)
        doc.user_hooks["similarity"] = doc.user_span_hooks["similarity"] = hook
    return doc


def attach(docs: Iterable[Doc]) -> list[Doc]:
    """Reinstall the hooks on Docs that came back from another process, from bytes or from a DocBin.

    Also registers the attributes, in a process where no pipeline has been loaded yet.

    Args:
        docs: Docs with embeddings; for a stream too long for memory, call this on one Doc or batch at a time.

    Raises:
        InputError: A Doc has no embedding.
    """
    register_extensions()
    attached = list(docs)
    for doc in attached:
        if doc._.embedder is None:
            raise InputError("This Doc has no embedding: run it through a pipeline with 'doc_embedder'.")
        install_hooks(doc)
    return attached
