"""Navec's files: read as the package reads them, refused when damaged."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors

WORDS = ["мост", "река", "ёж", "вода", "<unk>", "<pad>"]
NUMBERS = np.array([[0, 1, 2], [3, 0, 0], [1, 1, 1], [2, 3, 0], [0, 0, 0], [3, 3, 3]], np.uint8)
CENTROIDS = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


def navec_file(words=WORDS, numbers=NUMBERS, centroids=CENTROIDS, *, protocol=1, dim=None, without=()):
    counts = np.arange(len(words), dtype="<u4").tobytes()
    vocabulary = gzip.compress(np.array([len(words)], "<u4").tobytes() + counts + "\n".join(words).encode())
    parts, n_centroids, width = centroids.shape
    header = np.array([len(numbers), dim or parts * width, parts, n_centroids], "<u4").tobytes()
    members = {
        "meta.json": json.dumps({"id": "tiny", "protocol": protocol}).encode(),
        "vocab.bin": vocabulary,
        "pq.bin": header + numbers.tobytes() + centroids.astype("<f4").tobytes(),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            if name not in without:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def written(tmp_path):
    def write(data):
        (tmp_path / "navec.tar").write_bytes(data)
        return tmp_path / "navec.tar"

    return write


def test_rows_are_centroids_side_by_side(written):
    table = load_vectors(written(navec_file()))
    assert list(table.words) == WORDS[:4]
    np.testing.assert_array_equal(
        table.vector("мост"), np.concatenate([CENTROIDS[0, 0], CENTROIDS[1, 1], CENTROIDS[2, 2]])
    )
    assert table.dim == 6
    assert table.metadata["source"]["id"] == "tiny"


def test_vectors_equal_the_packages(tmp_path):
    navec = pytest.importorskip("navec", reason="navec is not installed")
    from navec.meta import Meta
    from navec.pq import PQ
    from navec.vocab import Vocab

    pq = PQ(len(WORDS), 6, 3, 4, NUMBERS, CENTROIDS)
    navec.Navec(Meta("tiny"), Vocab(WORDS, [1] * len(WORDS)), pq).dump(str(tmp_path / "navec.tar"))
    theirs = navec.Navec.load(str(tmp_path / "navec.tar"))
    table = load_vectors(tmp_path / "navec.tar")
    np.testing.assert_array_equal(table.rows, [theirs[word] for word in WORDS[:4]])


def test_words_with_other_line_breaks_stay_whole(written):
    words = ["a\x85b", "c\u2028d", *WORDS[2:]]
    assert list(load_vectors(written(navec_file(words))).words) == words[:4]


@pytest.mark.parametrize(
    "data",
    [
        navec_file(protocol=2),
        navec_file(WORDS[:5]),
        navec_file(dim=5),
        navec_file(dim=8),
        navec_file(numbers=NUMBERS + 1),
        navec_file(centroids=CENTROIDS * np.nan),
        navec_file(without=["pq.bin"]),
        navec_file(without=["vocab.bin"]),
        navec_file()[:1800],
        navec_file([], NUMBERS[:0]),
    ],
)
def test_damage_is_refused(written, data):
    with pytest.raises(InputError, match=r"navec\.tar") as error:
        load_vectors(written(data))
    assert "\n" not in str(error.value)


@given(st.integers(512, 4000), st.binary(min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_damaged_files_are_read_or_refused_never_worse(tmp_path_factory, place, replacement):
    data = bytearray(navec_file())
    data[place : place + len(replacement)] = replacement
    file = tmp_path_factory.getbasetemp() / "damaged-navec.tar"
    file.write_bytes(bytes(data))
    try:
        load_vectors(file)
    except InputError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
