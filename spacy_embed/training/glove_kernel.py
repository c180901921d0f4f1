"""The compiled loop of GloVe: one AdaGrad step a pair."""

import numpy as np
from numpy.typing import NDArray

from spacy_embed.compiled import compiled_like_numpy
from spacy_embed.types import Floats1d, Rows

Floats3d = NDArray[np.float32]

_STEEPEST = np.float32(100.0)
"""Where gradients are cut, as the released trainer does."""
_LARGEST = np.float32(np.finfo(np.float32).max)


@compiled_like_numpy
def train_pairs(
    words: Rows,
    contexts: Rows,
    logs: Floats1d,
    weights: Floats1d,
    learning_rate: float,
    parameters: Floats3d,
    squares: Floats3d,
) -> float:
    """One step down the gradient of each pair, in order (Pennington, Socher and Manning 2014, equation 8).

    With e = w.c + b_w + b_c - log X and f = f(X), the gradient is f e c in w, f e w in c, f e in both biases; each
    component is cut at 100, times the learning rate is g, and the step g / sqrt(1 + the sum of g ** 2 so far), as in
    the authors' trainer.

    Args:
        words: int32[pairs].
        contexts: int32[pairs].
        logs: float32[pairs], log X.
        weights: float32[pairs], f(X).
        learning_rate: Of the first step.
        parameters: float32[2, words, dim + 1], of words and of contexts, the bias last; changed.
        squares: The same shape, 1 + the sums of squared g; changed.

    Returns:
        The sum of ``f e ** 2 / 2`` before each step; a pair whose ``e`` is not finite makes no step and gives NaN.
    """
    dim = parameters.shape[2] - 1
    rate = np.float32(learning_rate)
    loss = 0.0
    for n in range(len(words)):
        word, context = parameters[0, words[n]], parameters[1, contexts[n]]
        of_word, of_context = squares[0, words[n]], squares[1, contexts[n]]
        product = np.float32(0.0)
        for d in range(dim):
            product += word[d] * context[d]
        error = product + word[dim] + context[dim] - logs[n]
        # not by isfinite: it takes a number off itself, which compiles to 0
        if not abs(error) <= _LARGEST:
            loss = np.nan
            continue
        pull = weights[n] * error
        loss += 0.5 * pull * error
        for d in range(dim):
            g, h = pull * context[d], pull * word[d]
            g = rate * (_STEEPEST if g > _STEEPEST else (-_STEEPEST if g < -_STEEPEST else g))
            h = rate * (_STEEPEST if h > _STEEPEST else (-_STEEPEST if h < -_STEEPEST else h))
            word[d] -= g / np.sqrt(of_word[d])
            context[d] -= h / np.sqrt(of_context[d])
            of_word[d] += g * g
            of_context[d] += h * h
        g = rate * (_STEEPEST if pull > _STEEPEST else (-_STEEPEST if pull < -_STEEPEST else pull))
        word[dim] -= g / np.sqrt(of_word[dim])
        context[dim] -= g / np.sqrt(of_context[dim])
        of_word[dim] += g * g
        of_context[dim] += g * g
    return loss
