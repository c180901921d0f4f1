"""What the commands that read a corpus share: documents encoded by workers, with progress, faults put aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_embed.cli.console import note
from spacy_embed.progress import advance, progress_bar
from spacy_embed.retrieval.remote_url import as_named, url_called

if TYPE_CHECKING:
    import pyarrow as pa

    from spacy_embed.retrieval.corpus import Corpus
    from spacy_embed.retrieval.text_lines import Report


@contextmanager
def faults_reported(skip_bad: bool, rejects: Path | None, beside: Path) -> Iterator["Report"]:
    """What becomes of faults: an error, or with ``--skip-bad`` a line of the rejects file.

    Args:
        skip_bad: Go on.
        rejects: The file, if it was named.
        beside: What it is called after if it was not.
    """
    from spacy_embed.retrieval.rejects import rejects_file
    from spacy_embed.retrieval.text_lines import refuse

    if not (skip_bad or rejects):
        yield refuse
        return
    # of an index in object storage, in the folder that we are in
    beside = Path(Path(as_named(beside)).name if url_called(beside) else beside).resolve()
    with rejects_file(rejects or beside.with_name(f"{beside.name}.rejects.jsonl")) as report:
        yield report
    if report.count:
        note(f"note: {report.count} documents or lines were passed over, see {report.path}.")


def with_progress(batches: Iterator["pa.RecordBatch"], corpus: "Corpus") -> Iterator["pa.RecordBatch"]:
    """Encoded batches, shown as they pass: documents, documents/s, and the time left where the corpus has a size."""
    from spacy_embed.pipeline.workers import collect_rarely

    collect_rarely()
    with progress_bar(label="encoding", unit="doc") as bar:
        for batch in batches:
            yield batch
            advance(bar, batch.num_rows, corpus.fraction)
