"""What goes wrong while documents are written reaches the caller as it was, not in the data set's words."""

import errno
import os

import pyarrow as pa
import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.document_writer import DocumentWriter

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Writer(DocumentWriter):
    """Writes a batch, and then goes wrong: while another is made, or in the data set."""

    def __init__(self, place, *, of_batches=None, of_dataset=None):
        self.place, self.of_batches, self.of_dataset = place, of_batches, of_dataset
        self.keys = {"ids": []}

    def wait(self):
        pass

    def _records(self, batches):
        yield from (pa.record_batch({"n": [i]}) for i in range(2))
        if self.of_batches:
            raise self.of_batches

    def _write_dataset(self, records):
        import lance

        lance.write_dataset(records, self.place)
        if self.of_dataset:
            raise self.of_dataset


@pytest.mark.parametrize("error", [FULL, InputError("A line"), ValueError("no number")])
def test_an_error_of_what_is_written_is_that_error(tmp_path, error):
    with pytest.raises(type(error)) as raised:
        Writer(str(tmp_path / "documents"), of_batches=error).add_documents([], None, None)
    assert raised.value is error


def test_a_full_disk_is_one_line(tmp_path):
    said = OSError(f"LanceError(IO): Generic LocalFileSystem error:\n{FULL.strerror} (os error 28),\nio.rs:1:2")
    with pytest.raises(OSError, match="No space left") as raised:
        Writer(str(tmp_path / "documents"), of_dataset=said).add_documents([], None, None)
    assert (raised.value.errno, raised.value.strerror) == (FULL.errno, FULL.strerror)


def test_any_other_error_of_the_data_set_is_handed_on(tmp_path):
    said = OSError("LanceError(IO): something else")
    with pytest.raises(OSError, match="something else") as raised:
        Writer(str(tmp_path / "documents"), of_dataset=said).add_documents([], None, None)
    assert raised.value is said
