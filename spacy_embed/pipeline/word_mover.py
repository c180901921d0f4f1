"""The ``word_mover`` component: exact Word Mover's Distance between Docs, spans and tokens (Kusner et al. 2015)."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from spacy.tokens import Doc

from spacy_embed.errors import InputError
from spacy_embed.pipeline.composed_words import CommonNumbers
from spacy_embed.pipeline.extensions import (
    Container,
    bag_of,
    bounds_of,
    check_tokens,
    composed_of,
    counts_of,
    doc_of,
    embedder_of,
    install_hooks,
    mover_settings,
    register_extensions,
    revive,
    set_mover_settings,
)

if TYPE_CHECKING:
    from spacy_embed.bags import Bags
    from spacy_embed.explain import Flow
    from spacy_embed.transport.exact import Transport
    from spacy_embed.transport.ground_cost import GroundCost
    from spacy_embed.types import Floats2d, Rows

BagWeights = Literal["counts", "weighted"]
"""``counts``: how often each word occurs, the paper's nBOW. ``weighted``: ``doc._.bag``, as the embedder weighs."""


@dataclass(frozen=True)
class WordMover:
    """Sets how ``doc._.wmd`` measures and, with ``similarity``, the hooks behind ``doc.similarity``.

    Attributes:
        cost: What it costs to move a unit of mass between two rows: ``euclidean``, ``unit`` or ``cosine``.
        weights: What each word of a bag has of the mass.
        similarity: ``doc.similarity`` and ``span.similarity`` become 1 / (1 + distance); else they stay cosines.

    Raises:
        InputError: Unknown cost or weights.
    """

    cost: "GroundCost" = "euclidean"
    weights: BagWeights = "counts"
    similarity: bool = False

    def __post_init__(self) -> None:
        register_extensions()
        _check_options(self.cost, self.weights)

    def __call__(self, doc: Doc) -> Doc:
        """Leave the settings on one Doc. Raises InputError when no ``doc_embedder`` has embedded it."""
        if doc._.embedder is None:
            raise InputError(
                "'word_mover' measures between the bags of 'doc_embedder', and this Doc has none: "
                "put 'doc_embedder' before it."
            )
        set_mover_settings(doc, asdict(self))
        return install_hooks(doc)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a worker process may see no factory call before this
        register_extensions()
        self.__dict__.update(state)


def word_mover_distance(
    left: Container, right: Container, *, cost: "GroundCost" = "euclidean", weights: BagWeights = "counts"
) -> float:
    """Exact Word Mover's Distance between two embedded Docs, spans or tokens, whatever their settings.

    Args:
        left: One of them.
        right: The other, embedded by the same ``doc_embedder``.
        cost: What it costs to move a unit of mass between two rows.
        weights: What each word of a bag has of the mass.

    Returns:
        At least 0, 0.0 for equal bags; ``inf`` when either has no known word.

    Raises:
        InputError: One was not embedded, or by another embedder, or has had its tokens merged or split since; or
            unknown options.
    """
    from spacy_embed.transport.exact import word_movers_distance

    _check_options(cost, weights)
    sides = _sides(left, right, weights)
    return word_movers_distance(sides.left, sides.right, sides.rows, cost=cost)


def wmd_of(container: Container, other: Container) -> float:
    """``word_mover_distance`` with the cost and weights of the pipeline's ``word_mover``; its defaults without one."""
    cost, weights = _settings(container, other)
    return word_mover_distance(container, other, cost=cost, weights=weights)


def transport_of(container: Container, other: Container) -> "Transport":
    """The same with the plan: which rows of the vector table go where, how much of them, how far.

    Words of either side that the table composed are numbered on from its rows, in alphabetical order.
    """
    from spacy_embed.transport.exact import transport

    cost, weights = _settings(container, other)
    sides = _sides(container, other, weights)
    moved = transport(sides.left, sides.right, sides.rows, cost=cost)
    if sides.numbers is None:
        return moved
    return moved._replace(left=sides.numbers[moved.left], right=sides.numbers[moved.right])


def flows_of(container: Container, other: Container) -> "list[Flow]":
    """The plan in words, the greatest contribution to the distance first; empty when either has no known word.

    A word is the lookup form, or all of them where several share a row of the table; over senses it is ``bank#2``.
    """
    from spacy_embed.explain import flows

    moved = transport_of(container, other)
    common = _common_numbers(container, other)
    return flows(moved, _words(container, moved.left, common), _words(other, moved.right, common))


def mover_similarity_of(
    container: Container, other: Container, fingerprint: str | None = None, mover: dict[str, Any] | None = None
) -> float:
    """1 / (1 + distance), in [0, 1]: 1.0 for equal bags, 0.0 when either has no known word.

    Args:
        container: One side.
        other: The other.
        fingerprint: The embedder to use for a side that was never embedded (a copy made by ``Span.as_doc``).
        mover: The settings of ``word_mover`` for it.
    """
    for side in (container, other):
        revive(doc_of(side), fingerprint, mover)
    return 1.0 / (1.0 + wmd_of(container, other))


def _settings(left: Container, right: Container) -> "tuple[GroundCost, BagWeights]":
    """The cost and weights of either side, the same whichever of the two is asked."""
    kept = [found for side in (left, right) if (found := mover_settings(doc_of(side))) is not None]
    chosen = [(found["cost"], found["weights"]) for found in kept] or [(WordMover.cost, WordMover.weights)]
    if chosen[0] != chosen[-1]:
        raise InputError(
            "The two come from pipelines whose 'word_mover' differ: one has cost = {!r} and weights = {!r}, the other "
            "{!r} and {!r}. Name what you want with word_mover_distance(left, right, cost=..., weights=...).".format(
                *chosen[0], *chosen[-1]
            )
        )
    return chosen[0]


class _Sides(NamedTuple):
    """Two bags over the same rows."""

    left: "Bags"
    right: "Bags"
    rows: "Floats2d"
    numbers: "Rows | None"
    """int32[rows], what the rows are called elsewhere; None where they are those of the table."""


def _sides(left: Container, right: Container, weights: BagWeights) -> _Sides:
    embedder = embedder_of(doc_of(left))
    if doc_of(right)._.embedder is None:
        embedder_of(doc_of(right))
    if doc_of(left)._.embedder != doc_of(right)._.embedder:
        raise InputError(
            "The two were embedded by different 'doc_embedder's, or by one before and after a fit: "
            "Word Mover's Distance needs both from the same one, so embed one of them again."
        )
    bags = _bag(left, weights), _bag(right, weights)
    table = embedder.table.rows
    common = _common_numbers(left, right)
    if not common.words:
        return _Sides(*bags, table, None)
    from spacy_embed.bags import Bags
    from spacy_embed.compact_rows import CompactRows

    def shared(side: Container, bag: Bags) -> Bags:
        return Bags(common.of(bag.rows, composed_of(doc_of(side))), bag.weights, bag.offsets)

    bags = shared(left, bags[0]), shared(right, bags[1])
    used = np.concatenate([bags[0].rows, bags[1].rows])
    compact = CompactRows.gather(used, table, embedder.composed_rows(common.words))
    return _Sides(compact.renumbered(bags[0]), compact.renumbered(bags[1]), compact.rows, compact.numbers)


def _common_numbers(left: Container, right: Container) -> CommonNumbers:
    docs = doc_of(left), doc_of(right)
    return CommonNumbers(len(embedder_of(docs[0]).table.rows), map(composed_of, docs))


def _bag(container: Container, weights: BagWeights) -> "Bags":
    doc = doc_of(container)
    check_tokens(doc, len(doc._.token_rows))
    bag = counts_of(container) if weights == "counts" else bag_of(container)
    if (bag.weights < 0).any():
        raise InputError("A word weighs less than 0 (see 'other_weight' of 'doc_embedder'): no mass can be so moved.")
    return bag


def _words(container: Container, rows: "Rows", common: CommonNumbers) -> list[str]:
    """What the tokens of each row were looked up as; of a row of a sense, its name."""
    doc, start, stop = bounds_of(container)
    senses = embedder_of(doc).chosen_senses
    if senses is not None:
        return list(map(senses.table.sense_key, rows.tolist()))
    forms = [token.text for token in doc] if doc._.forms is None else doc._.forms
    found: dict[int, dict[str, None]] = {}
    token_rows = common.of(doc._.token_rows[start:stop], composed_of(doc))
    for row, form in zip(token_rows.tolist(), forms[start:stop], strict=True):
        found.setdefault(row, {})[form] = None
    return ["/".join(found[row]) for row in rows.tolist()]


def _check_options(cost: str, weights: str) -> None:
    from spacy_embed.transport.ground_cost import check_ground_cost

    check_ground_cost(cost)
    if weights not in get_args(BagWeights):
        raise InputError(f"Unknown weights {weights!r}: expected one of {', '.join(get_args(BagWeights))}.")
