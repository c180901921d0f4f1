import shutil
from dataclasses import replace

import lance
import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.document_writer import RECORDS, MappedBatch, document_arrays
from spacy_embed.retrieval.encoded import list_bags
from spacy_embed.retrieval.fits import Fits
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, GenerationReader
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.manifest import DOCUMENTS, FITS, read_manifest
from spacy_embed.retrieval.pieces import Piece, PieceWriter, append_pieces
from tests.conftest import LANGUAGES
from tests.stores import corpus_documents, forms_of, make_index, random_table


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    documents = corpus_documents()[::6]
    forms = forms_of(documents)
    tables = {lang: random_table(forms[lang], seed) for seed, lang in enumerate(LANGUAGES)}
    index = tmp_path_factory.mktemp("whole") / "index"
    make_index(index, documents, tables)
    manifest = read_manifest(index)
    return GenerationReader(manifest.folder(index), manifest)


def stored_batches(reader):
    """A batch a document."""
    return [
        MappedBatch(
            batch.select(list(DOCUMENT_FIELDS)),
            list_bags(batch.column("bag_rows"), batch.column("bag_counts")),
            list_bags(batch.column("term_rows"), batch.column("term_counts")),
        )
        for batch in reader.dataset().to_batches(batch_size=1)
    ]


def vocabulary_only(reader, folder):
    """A copy of a generation that holds no documents yet."""
    shutil.copytree(reader.folder, folder)
    manifest = reader.manifest
    words = ("keys", "vectors", "term_names")
    for name in [*document_arrays(manifest), "ids.text", "ids.offsets"]:
        (folder / name).unlink()
    shutil.rmtree(folder / DOCUMENTS)
    return replace(
        manifest,
        extents={name: extent for name, extent in manifest.extents.items() if name.split(".")[0] in words},
        runs={name: runs for name, runs in manifest.runs.items() if name in words},
        postings=(),
        positions=0,
        dataset_version=0,
        languages={},
        tokens=0,
        found=0,
        without_vector=0,
    )


def write_piece(reader, manifest, folder, batches):
    folder.mkdir()
    with PieceWriter(folder, manifest) as writer:
        writer.add_documents(batches, Fits.load(reader.folder / FITS), reader.array("vectors"))
        writer.finish().write()
    return Piece.read(folder)


@pytest.mark.parametrize("sizes", [[1, 3, 2], [0, 5, 0, 4], [100]])
def test_pieces_make_the_generation_that_was_written_in_one_go(whole, tmp_path, sizes):
    manifest = vocabulary_only(whole, tmp_path / "made")
    batches, pieces, start = stored_batches(whole), [], 0
    for number, size in enumerate([*sizes, whole.manifest.positions]):
        mine = batches[start : start + size]
        pieces.append(write_piece(whole, manifest, tmp_path / f"piece{number}", mine))
        start += size
    with GenerationWriter(tmp_path / "made", manifest) as writer:
        append_pieces(writer, pieces)
        made = writer.finish()
    reader = GenerationReader(tmp_path / "made", made)
    old = whole.manifest
    assert made.extents == old.extents
    assert (made.languages, made.positions, made.tokens, made.found) == (
        old.languages,
        old.positions,
        old.tokens,
        old.found,
    )
    for name in document_arrays(made):
        np.testing.assert_array_equal(reader.array(name), whole.array(name))
    ids = whole.keys("ids").all()
    assert reader.keys("ids").all() == ids
    assert reader.keys("ids").positions([*ids, "nobody"]).tolist() == [*range(len(ids)), -1]
    assert reader.dataset().to_table() == whole.dataset().to_table()


def test_the_data_set_has_the_rows_that_are_declared(whole):
    assert lance.dataset(str(whole.folder / DOCUMENTS)).schema.equals(RECORDS)


def test_a_piece_that_has_changed_is_refused(whole, tmp_path):
    manifest = vocabulary_only(whole, tmp_path / "made")
    piece = write_piece(whole, manifest, tmp_path / "piece", stored_batches(whole))
    file = tmp_path / "piece" / "bags.rows"
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with GenerationWriter(tmp_path / "made", manifest) as writer, pytest.raises(InputError, match=r"has changed since"):
        append_pieces(writer, [piece])


def test_a_piece_without_its_facts_is_not_there(whole, tmp_path):
    manifest = vocabulary_only(whole, tmp_path / "made")
    write_piece(whole, manifest, tmp_path / "piece", stored_batches(whole))
    (tmp_path / "piece" / "piece.json").unlink()
    assert Piece.read(tmp_path / "piece") is None
