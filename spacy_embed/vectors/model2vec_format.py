"""Static models of model2vec (https://github.com/MinishLab/model2vec): a folder with tensors and a tokenizer.

model.safetensors  ``embeddings`` [rows, dim] (``embedding.weight`` as sentence-transformers saves them), and in newer
                   versions ``weights`` [tokens] and ``mapping`` [tokens], the row of each token
tokenizer.json     the tokens of a Hugging Face tokenizer

A table has words, not pieces of words. Tokens that stand for whole words are kept: in WordPiece those that do not begin
with ``##``; in SentencePiece (Unigram, BPE) those that begin with ``▁``, less that mark, and Chinese or Japanese ones,
which no space separates. Special tokens are left out.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError, require
from spacy_embed.types import Floats2d
from spacy_embed.vectors.formats import Reading, VectorFormat
from spacy_embed.vectors.table_builder import TableBuilder
from spacy_embed.vectors.word_table import WordTable

_EMBEDDINGS = ("embeddings", "embedding.weight")
_WORD_BEGINS = "▁"
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_ROWS_AT_ONCE = 1 << 14


class _Tensors(NamedTuple):
    embeddings: NDArray[Any]
    """[rows, dim] of any type of number."""
    weights: NDArray[Any] | None
    mapping: NDArray[Any] | None

    def rows(self, tokens: NDArray[np.int64]) -> Floats2d:
        """float32[n, dim], the vectors of tokens as the model adds them up."""
        places = tokens if self.mapping is None else self.mapping[tokens]
        rows = self.embeddings[places].astype(np.float32)
        return rows if self.weights is None else np.asarray(rows * self.weights[tokens][:, None], np.float32)

    @property
    def n_tokens(self) -> int:
        return len(self.embeddings) if self.mapping is None else len(self.mapping)


def model_folder(path: Path) -> Path | None:
    """The folder, it or one inside it, that holds the tensors and the tokenizer; None where there is none."""
    for folder in (path, path / "0_StaticEmbedding"):
        if (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file():
            return folder
    return None


def is_model2vec(path: Path, head: bytes) -> bool:
    """Whether a folder holds tensors and a tokenizer."""
    return path.is_dir() and model_folder(path) is not None


def read_model2vec(path: Path, reading: Reading) -> WordTable:
    """Read the whole words of a model, the first one of equal ones, with the weights of their tokens.

    Raises:
        InputError: A file is damaged, the model is no static one, or its tokenizer is of another kind.
        MissingExtraError: safetensors is not installed.
    """
    folder = model_folder(path) or path
    tensors = _read_tensors(folder / "model.safetensors")
    tokens = _whole_words(folder / "tokenizer.json", tensors.n_tokens)
    words = [word.encode("utf-8", "surrogatepass") for word, _ in tokens]
    numbers = np.array([number for _, number in tokens], np.int64)
    builder = TableBuilder(tensors.embeddings.shape[1], reading)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        if builder.is_full():
            break
        block = words[start : start + _ROWS_AT_ONCE]
        rows = tensors.rows(numbers[start : start + _ROWS_AT_ONCE])
        if not np.isfinite(rows).all():
            raise InputError(f"{path}: its vectors hold NaN or infinity. Fetch it again.")
        sizes = np.fromiter(map(len, block), np.int64, len(block))
        text = np.frombuffer(b"".join(block), np.uint8)
        builder.add(text, sizes, rows, start + 1, min((start + _ROWS_AT_ONCE) / len(words), 1.0))
    source = {"format": MODEL2VEC_FOLDER.label, "file": str(path.resolve()), "tokens": tensors.n_tokens}
    return builder.build(source, only_first=builder.is_full())


def _read_tensors(file: Path) -> _Tensors:
    safetensors = require("safetensors", extra="formats", purpose="read a model of model2vec")
    try:
        with safetensors.safe_open(str(file), framework="numpy") as tensors:
            names = set(tensors.keys())
            name = next((name for name in _EMBEDDINGS if name in names), None)
            if name is None:
                raise InputError(
                    f"{file} is no static model: expected a tensor 'embeddings', found {sorted(names)[:5]}."
                )
            embeddings = tensors.get_tensor(name)
            weights, mapping = (tensors.get_tensor(n) if n in names else None for n in ("weights", "mapping"))
    except InputError:
        raise
    except Exception as error:  # safetensors has errors of its own, and of NumPy for types that it lacks
        raise InputError(f"{file} is truncated or damaged ({error}): fetch it again.") from error
    _check_shapes(file, _Tensors(embeddings, weights, mapping))
    return _Tensors(embeddings, weights, mapping)


def _check_shapes(file: Path, tensors: _Tensors) -> None:
    embeddings, weights, mapping = tensors
    if embeddings.ndim != 2 or not embeddings.shape[1] or embeddings.dtype.kind not in "fi":
        raise InputError(f"{file}: embeddings of {embeddings.dtype.name}{list(embeddings.shape)} form no table.")
    if mapping is not None and (
        mapping.ndim != 1
        or mapping.dtype.kind not in "iu"
        or (len(mapping) and not (int(mapping.min()) >= 0 and int(mapping.max()) < len(embeddings)))
    ):
        raise InputError(f"{file}: its mapping does not name rows of its {len(embeddings)} embeddings. Fetch it again.")
    if weights is not None and (weights.shape != (tensors.n_tokens,) or weights.dtype.kind != "f"):
        raise InputError(f"{file}: expected {tensors.n_tokens} weights, found {list(weights.shape)}. Fetch it again.")


def _whole_words(file: Path, n_tokens: int) -> list[tuple[str, int]]:
    """Words and the numbers of their tokens, in order of the numbers."""
    try:
        described: Any = json.loads(file.read_text(encoding="utf-8"))
        model = described["model"]
        kind, vocabulary = str(model["type"]), model["vocab"]
        numbered = vocabulary.items() if isinstance(vocabulary, dict) else ((t[0], i) for i, t in enumerate(vocabulary))
        tokens = sorted(((str(token), int(number)) for token, number in numbered), key=lambda pair: pair[1])
        added = {str(one["content"]): bool(one.get("special")) for one in described.get("added_tokens") or []}
        prefix = str(model.get("continuing_subword_prefix") or "##")
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise InputError(f"{file} is damaged or no tokenizer ({error!r}): fetch it again.") from error
    if tokens and not (tokens[0][1] >= 0 and tokens[-1][1] < n_tokens):
        raise InputError(f"{file} numbers its tokens up to {tokens[-1][1]}, but there are {n_tokens} vectors.")
    tokens = [(token, number) for token, number in tokens if not added.get(token, False)]
    if kind in ("WordPiece", "WordLevel"):
        return [(token, number) for token, number in tokens if not token.startswith(prefix) or token in added]
    if any(token.startswith(_WORD_BEGINS) for token, _ in tokens):
        return list(_sentencepiece_words(tokens, added))
    raise InputError(
        f"{file}: its tokenizer is of the kind {kind} without '{_WORD_BEGINS}', whose tokens are bytes: "
        "expected WordPiece, WordLevel or SentencePiece."
    )


def _sentencepiece_words(tokens: Iterable[tuple[str, int]], added: dict[str, bool]) -> Iterator[tuple[str, int]]:
    for token, number in tokens:
        if token.startswith(_WORD_BEGINS):
            word = token[1:]
            if word and _WORD_BEGINS not in word:
                yield word, number
        elif token in added or _WITHOUT_SPACES.fullmatch(token):
            yield token, number


MODEL2VEC_FOLDER = VectorFormat("model2vec", "model2vec", (), is_model2vec, read_model2vec)
