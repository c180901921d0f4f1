"""What an index is on disk, and its manifest.

index.json       format, version, languages, counts, default method, vector tables by path and fingerprint
documents.lance  one row a document: id, lang, title, text, metadata, tokens, bag, terms, embedding
vectors/         the rows of the vector tables that the corpus uses, keyed ``lang:form``
full_tables/     vector files read whole for words of queries, kept as tables for the next search
terms/           BM25's terms
bm25/            BM25's scores
embeddings.npz   fitted weightings and components, by embedding and language
pipelines/LANG/  the pipeline that made the forms of that language
"""

import json
from pathlib import Path
from typing import Any

from spacy_embed.errors import InputError
from spacy_embed.types import State

MARKER = "index.json"
FORMAT = "spacy-embed index"
VERSION = 1

DOCUMENTS = "documents.lance"
VECTORS = "vectors"
FULL_TABLES = "full_tables"
TERMS = "terms"
BM25_SCORES = "bm25"
EMBEDDINGS_FILE = "embeddings.npz"
PIPELINES = "pipelines"


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``index.json``."""
    header = {"format": FORMAT, "version": VERSION, **manifest}
    (folder / MARKER).write_text(json.dumps(header, ensure_ascii=False, indent=1), encoding="utf-8")


def read_manifest(folder: Path) -> State:
    """Read and check ``index.json``.

    Raises:
        InputError: It is missing, damaged, or of another version.
    """
    file = folder / MARKER
    if not folder.exists():
        raise InputError(f"There is no index at {folder}: make one with 'spacy-embed index CORPUS {folder}'.")
    if not file.is_file():
        raise InputError(f"{folder} is not an index: it holds no {MARKER}.")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}): index the corpus again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{file} does not describe a '{FORMAT}'.")
    if manifest.get("version") != VERSION:
        raise InputError(
            f"{folder} is an index of version {manifest.get('version')}; this package reads version {VERSION}: "
            "index the corpus again."
        )
    missing = sorted({"dataset_version", "documents", "languages", "embedding", "tables"} - set(manifest))
    if missing:
        raise InputError(f"{file} is damaged: it lacks {', '.join(missing)}. Index the corpus again.")
    return manifest
