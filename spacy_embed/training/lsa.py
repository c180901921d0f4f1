"""LSA: a truncated SVD of positive pointwise mutual information (Levy, Goldberg and Dagan 2015)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.training.cooccurrence import SpillRuns, count_cooccurrences
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.ppmi import check_settings, ppmi
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.windows import Distance, Sides
from spacy_embed.types import Floats2d
from spacy_embed.vectors.word_table import WordTable

Solver = Literal["randomized", "arpack"]


def train_lsa(
    sequences: Iterable[Sequence[str]],
    *,
    dim: int = 100,
    window: int = 5,
    sides: Sides = "both",
    distance: Distance = "linear",
    min_count: int = 2,
    shift: float = 1.0,
    smoothing: float = 0.75,
    value_power: float = 0.25,
    solver: Solver = "randomized",
    iterations: int = 7,
    seed: int = 1,
    workers: int = 1,
    memory: int = 1 << 30,
    scratch: Path | None = None,
    spill: SpillRuns | None = None,
) -> WordTable:
    """Word vectors by counting: U S^p of the truncated SVD U S V' of a PPMI matrix. Nothing is trained.

    Args:
        sequences: Token lists (sentences or documents), not a generator.
        dim: Dimensions, fewer than there are words.
        window: Words to each side.
        sides: Contexts are words on both sides, or only to the left or right.
        distance: How a pair's weight falls with its distance, see ``pair_weights``.
        min_count: Rarer words get no vector, and are taken out before windows are laid.
        shift: See ``ppmi``.
        smoothing: See ``ppmi``.
        value_power: p, how much the singular values weigh: 1 is the SVD's own, 0 leaves them out (section 3.3 there).
            Word similarity is best near 0; the fewer words there are, the more noise that lets in.
        solver: ``randomized`` (Halko, Martinsson and Tropp 2011; scikit-learn) or ``arpack`` (exact; slower).
        iterations: Power iterations of the randomized solver.
        seed: The same seed gives the same bytes.
        workers: Threads that count.
        memory: Bytes that counting may take, about; what is more goes to disk. The PPMI matrix is in memory besides,
            with 8 bytes for each pair of positive information.
        scratch: Where counts go, 8 bytes a pair. None: a temporary folder. One that is given keeps them.
        spill: What counts pairs, see ``count_cooccurrences``.

    Returns:
        A table in memory, float32[words, dim], words by falling frequency, columns by falling singular value, the
        largest component of each one positive. A word that shares no positive information has a zero row and counts
        as not in the table.

    Raises:
        InputError: A setting is out of range, no word is as frequent as ``min_count``, no two words stand together, or
            the sequences can be read only once.
        SpacyEmbedError: The solver did not converge.
    """
    if dim < 1 or iterations < 0 or seed < 0:
        raise InputError(f"dim must be at least 1, iterations and seed at least 0, got {dim}, {iterations} and {seed}.")
    if not 0 <= value_power <= 1:
        raise InputError(f"value_power must be between 0 and 1, got {value_power}.")
    check_settings(shift, smoothing)
    numbered = TokenSequences.of(sequences)
    corpus = FrequentWords.of(numbered, min_count)
    if dim >= len(corpus.words):
        raise InputError(
            f"LSA gives fewer dimensions than there are words: with min_count {min_count} there are "
            f"{len(corpus.words)}, dim is {dim}. Lower dim or min_count."
        )
    with TemporaryDirectory() as temporary:
        folder = scratch or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        counted = count_cooccurrences(
            corpus, folder, window=window, sides=sides, distance=distance, memory=memory, workers=workers, spill=spill
        )
        information = ppmi(counted, shift=shift, smoothing=smoothing)
    if not information.nnz:
        raise InputError("No two words stand together more often than by chance: give more text, or lower shift.")
    vectors = singular_vectors(information, dim, power=value_power, solver=solver, iterations=iterations, seed=seed)
    source = {
        "method": "lsa",
        "window": window,
        "sides": sides,
        "distance": distance,
        "min_count": min_count,
        "shift": shift,
        "smoothing": smoothing,
        "value_power": value_power,
        "solver": solver,
        "iterations": iterations,
        "seed": seed,
        "tokens": numbered.n_tokens,
        "pairs": int(information.nnz),
    }
    return WordTable.build(corpus.words, vectors, metadata={"source": source})


def singular_vectors(matrix: Any, dim: int, *, power: float, solver: Solver, iterations: int, seed: int) -> Floats2d:
    """``U S^power`` of a sparse matrix, by falling singular value, the largest component of each column positive.

    Args:
        matrix: SciPy float32[n, m].
        dim: Singular values to find, below n and m.
        power: Of the singular values. One that is 0 gives a column of zeros.
        solver: ``randomized`` or ``arpack``.
        iterations: Power iterations of the randomized solver.
        seed: Of where solvers start.

    Raises:
        InputError: There is no such solver.
        SpacyEmbedError: The solver did not converge.
    """
    if solver == "randomized":
        from sklearn.utils.extmath import randomized_svd

        left, values, _ = randomized_svd(matrix, dim, n_iter=iterations, random_state=seed, flip_sign=False)
    elif solver == "arpack":
        from scipy.sparse.linalg import ArpackError, svds

        start = np.random.default_rng(seed).uniform(-1, 1, min(matrix.shape)).astype(matrix.dtype)
        try:
            left, values, _ = svds(matrix, dim, v0=start, return_singular_vectors="u")
        except ArpackError as error:
            raise SpacyEmbedError(f"The SVD did not converge ({error}): take the randomized solver.") from error
        # rising
        left, values = left[:, ::-1], values[::-1]
    else:
        raise InputError(f"solver must be 'randomized' or 'arpack', got {solver!r}.")
    # a value that is nothing but rounding has a direction that means nothing
    is_real = values > values[0] * np.finfo(np.float32).eps * max(matrix.shape)
    strengths = np.where(is_real, np.where(is_real, values, 1.0) ** power, 0.0)
    largest = left[np.argmax(np.abs(left), axis=0), np.arange(dim)]
    return np.ascontiguousarray(left * (strengths * np.where(largest < 0, -1.0, 1.0)), np.float32)
