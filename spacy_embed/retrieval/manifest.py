"""What an index is on disk. Its manifest is the only file that changes: replacing it is what commits.

index.json              the manifest: which generation, and how much of each of its files belongs to this version
generations/N/          all that belongs together; files in it only grow, or are written once
    documents.lance     one row a document: id, lang, title, text, metadata, tokens, bag, terms
    pipelines/LANG/     the pipeline that made the forms of that language
    origin/             where the vectors came from, and a distilled table's projection
    fits.npz            fitted weightings and components, by embedding and language, and BM25's
    keys.*              the vocabulary, ``lang:form``, and the row of each in vectors
    vectors*            the rows of the vector tables that the corpus uses
    term_names.*        BM25's terms
    ids.*  langs        document ids and languages, by position
    bags.*  terms.*     bags of counts over vectors; bags of BM25 weights over terms
    units.NAME          document embeddings, scaled to length 1
    postings.A-B.*      the terms of documents A to B, by term
    deleted.N.npy       positions of deleted documents
    learned.N.npz       encoders learned from judgements
    cache/              what can be made again at any time
full_tables/            vector files read whole for words of queries, kept as tables for the next search
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spacy_embed import __version__
from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError
from spacy_embed.retrieval.growing_array import Extent
from spacy_embed.retrieval.growing_keys import Runs
from spacy_embed.retrieval.method_names import HYBRID

MARKER = "index.json"
FORMAT = "spacy-embed index"
VERSION = 3

GENERATIONS = "generations"
FULL_TABLES = "full_tables"

DOCUMENTS = "documents.lance"
PIPELINES = "pipelines"
ORIGIN = "origin"
FITS = "fits.npz"
CACHE = "cache"


@dataclass(frozen=True)
class Manifest:
    """One version of an index.

    Attributes:
        index_id: Changes when an index is made anew over an old one.
        generation: The folder under ``generations/``.
        revision: Counts commits.
        dataset_version: Lance's.
        embedding: The embedding that is stored.
        normalize: Word vectors were scaled to length 1.
        source: Where vectors came from.
        tables: The vector tables, by path and fingerprint.
        dim: Of the vectors.
        senses: How words become senses: the ``choice``, and the number in ``tables`` of each language's model, by
            language, "" for any other; empty where they do not.
        method: What is searched by default, a name or a composition; "" for ``hybrid``.
        weighting: What is not usual in how words weigh, see ``FitSettings.changed``.
        extents: How much of each growing file belongs to this version.
        runs: Ranges of the sorted hashes of ``ids``, ``keys`` and ``term_names``.
        postings: Ranges of documents with inverted terms.
        positions: Documents, deleted ones included.
        deleted: The file of deleted positions, "" for none.
        learned: The file of encoders learned from judgements, "" for none.
        languages: Documents by language, deleted ones not counted.
        lang_codes: What the numbers in ``langs`` mean.
        tokens: Words looked up, over the documents that are not deleted.
        found: Those that have a vector.
        without_vector: Documents with no known word.
        fitted_on: Documents that the weightings were fitted on.
        made_by: This package and its version.
    """

    index_id: str
    generation: str
    revision: int
    embedding: str
    normalize: bool
    source: str
    tables: list[dict[str, Any]]
    dim: int
    senses: dict[str, Any] = field(default_factory=dict)
    method: str = ""
    weighting: dict[str, Any] = field(default_factory=dict)
    dataset_version: int = 0
    extents: dict[str, Extent] = field(default_factory=dict)
    runs: dict[str, Runs] = field(default_factory=dict)
    postings: Runs = ()
    positions: int = 0
    deleted: str = ""
    learned: str = ""
    languages: dict[str, int] = field(default_factory=dict)
    lang_codes: list[str] = field(default_factory=list)
    tokens: int = 0
    found: int = 0
    without_vector: int = 0
    fitted_on: int = 0
    made_by: str = f"spacy-embed {__version__}"

    @property
    def default_method(self) -> str:
        """What is searched by default."""
        return self.method or HYBRID

    @property
    def documents(self) -> int:
        """Documents that are not deleted."""
        return sum(self.languages.values())

    @property
    def covered(self) -> float:
        """Share of the looked-up words that have a vector."""
        return round(self.found / self.tokens, 4) if self.tokens else 0.0

    def folder(self, index: Path) -> Path:
        """The folder of its generation."""
        return index / GENERATIONS / self.generation

    def extent(self, name: str) -> Extent:
        """The committed part of a file."""
        return self.extents.get(name, Extent(0, 0))

    def save(self, index: Path) -> None:
        """Make this the index's version, in one step."""
        write_atomically(index / MARKER, json.dumps(self.header(), ensure_ascii=False, indent=1).encode())

    def header(self) -> dict[str, Any]:
        """What is written of it."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


def read_manifest(index: Path) -> Manifest:
    """Read and check ``index.json``.

    Raises:
        InputError: It is missing, damaged, or of another version.
    """
    file = index / MARKER
    if not index.exists():
        raise InputError(f"There is no index at {index}: make one with 'spacy-embed index CORPUS {index}'.")
    if not file.is_file():
        raise InputError(f"{index} is not an index: it holds no {MARKER}.")
    try:
        header = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}): index the corpus again.") from error
    return manifest_of(header, str(index), str(file))


def manifest_of(header: Any, index: str, file: str) -> Manifest:
    """The version that was written. Raises InputError, which names the index and the file."""
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{file} does not describe a '{FORMAT}'.")
    if header.get("version") != VERSION:
        raise InputError(
            f"{index} is an index of version {header.get('version')}; this package reads version {VERSION}: "
            "index the corpus again."
        )
    fields = {name: value for name, value in header.items() if name not in {"format", "version"}}
    try:
        fields["extents"] = {name: Extent(*map(int, extent)) for name, extent in fields["extents"].items()}
        fields["runs"] = {name: _ranges(runs) for name, runs in fields["runs"].items()}
        fields["postings"] = _ranges(fields["postings"])
        return Manifest(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}): index the corpus again.") from error


def _ranges(values: Any) -> Runs:
    return tuple((int(start), int(stop)) for start, stop in values)
