"""Vectors for TensorBoard's Embedding Projector: two TSV files and the configuration that names them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from spacy_embed.atomic_files import new_directory
from spacy_embed.errors import InputError
from spacy_embed.types import Floats2d

MARKER = "projector_config.pbtxt"

_ROWS_AT_ONCE = 1024
_CONFIG = """embeddings {
  tensor_name: "vectors"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")


def write_projector(
    folder: Path, vectors: Floats2d, columns: Mapping[str, Sequence[str]], *, overwrite: bool = False
) -> None:
    """Write ``vectors.tsv``, ``metadata.tsv`` and ``projector_config.pbtxt``; the folder appears whole or not at all.

    ``tensorboard --logdir FOLDER`` shows it, and so does https://projector.tensorflow.org, which takes the two TSV
    files. Floats are written with as many digits as bring the same float32 back. Metadata of one column has no header,
    of several it has one: the projector wants it so. Tabs, line ends and backslashes are escaped by a backslash.

    Args:
        folder: Where it goes.
        vectors: float32[n, dim].
        columns: What is known of each vector, ``n`` texts a column; the first is its label.
        overwrite: Replace a folder of this kind.

    Raises:
        InputError: The folder is taken, there is no column, or a column has another length than the vectors.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if not columns or any(length != len(vectors) for length in lengths.values()):
        raise InputError(f"Each of {len(vectors)} vectors needs a label; the columns hold {lengths}.")
    with new_directory(folder, overwrite=overwrite, marker=MARKER) as new:
        with (new / "vectors.tsv").open("w", encoding="utf-8", newline="\n") as file:
            for start in range(0, len(vectors), _ROWS_AT_ONCE):
                block = vectors[start : start + _ROWS_AT_ONCE].astype(str)
                file.writelines("\t".join(row) + "\n" for row in block.tolist())
        with (new / "metadata.tsv").open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            if len(columns) > 1:
                file.write("\t".join(map(_escaped, columns)) + "\n")
            file.writelines("\t".join(map(_escaped, row)) + "\n" for row in zip(*columns.values(), strict=True))
        (new / MARKER).write_text(_CONFIG, encoding="utf-8")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES[match.group()], text)
