"""Record batches in files, read one at a time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from spacy_embed.atomic_files import replaced_file


def write_batches(file: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write record batches of a schema in one step, durably."""
    with (
        replaced_file(file) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def read_batches(file: Path, columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """The record batches of a file, in order; if columns are named, which must be there, the others are not read."""
    # not memory-mapped: pages of the file would count as memory of a long job
    with pa.OSFile(str(file)) as source:
        reader = pa.ipc.open_file(source)
        if columns:
            fields = [reader.schema.get_field_index(name) for name in columns]
            reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=fields))
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
