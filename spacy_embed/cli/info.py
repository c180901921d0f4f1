"""``spacy-embed info``: what an index or a vector table holds."""

from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import output, print_json, require_search
from spacy_embed.cli.places import INDEX_OR_INPUT
from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_url import as_named

_INDEX_FACTS = (
    *("documents", "languages", "tokens", "covered", "without_vector", "embedding", "method", "weighting", "dim"),
    *("source", "tables", "senses", "fitted_on", "revision", "made_by"),
)
_MOST_NUMBERS = 8


def info_command(
    path: Annotated[Path, typer.Argument(help="An index, a vector table or a vector file.", **INDEX_OR_INPUT)],
    verify: Annotated[bool, typer.Option(help="Read every float and compare fingerprints.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what an index or a vector table holds."""
    from spacy_embed.cli.table_info import table_facts
    from spacy_embed.retrieval.manifest import MARKER

    facts = _index_facts(path, verify) if (path / MARKER).is_file() else table_facts(path, verify)
    if verify:
        facts["verified"] = True
    if as_json:
        print_json(facts)
        return
    table = Table(show_header=False, title=Text(as_named(path)), title_justify="left")
    for key, value in facts.items():
        if value not in (None, [], {}):
            table.add_row(key.replace("_", " "), Text(_shown(value)))
    output().print(table)


def _shown(value: Any) -> str:
    """A fact as people read it: what is listed, one after the other or a line each."""
    if isinstance(value, dict):
        return "\n".join(_shown_part(name, part) for name, part in value.items() if part not in (None, [], {}))
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return "\n".join(map(_shown, value))
    if isinstance(value, list) and len(value) > _MOST_NUMBERS and all(isinstance(part, int | float) for part in value):
        return f"{_shown(value[0])} … {_shown(value[-1])} ({len(value)} numbers)"
    if isinstance(value, list):
        return ("\n" if any(" " in str(part) for part in value) else ", ").join(map(str, value))
    return str(float(f"{value:.6g}")) if isinstance(value, float) else str(value)


def _shown_part(name: str, part: Any) -> str:
    nested = isinstance(part, dict)
    return f"{name}:" + ("\n" + indent(_shown(part), "  ") if nested else f" {_shown(part)}")


def _index_facts(path: Path, verify: bool) -> dict[str, Any]:
    require_search("open an index")
    from spacy_embed.retrieval.growing_array import damaged
    from spacy_embed.retrieval.snapshot import Snapshot

    index = Snapshot(path)
    if verify:
        for name in damaged(index.reader.folder, index.reader.layouts, index.manifest.extents):
            raise InputError(
                f"{index.reader.folder / name} changed since it was written: its checksum is another. Make the arrays "
                "again with 'spacy-embed compact', or index the corpus again."
            )
        # sizes and headers of what has no checksum
        _ = [index.reader.keys(name) for name in ("ids", "keys", "term_names")], index.reader.postings, index.fits
    return {
        "kind": "index",
        **{name: getattr(index.manifest, name) for name in _INDEX_FACTS},
        "deleted": index.manifest.positions - index.manifest.documents,
        "encoders": {name: _fitted_facts(encoder) for name, encoder in index.reader.learned.items()},
        "rows": len(index.table.rows),
        "bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
    }


def _fitted_facts(encoder: Any) -> dict[str, Any]:
    """How an encoder learned from judgements was fitted."""
    return {name: getattr(encoder.learned, name) for name in ("queries", "margin", "epochs", "start", "fitted")}
