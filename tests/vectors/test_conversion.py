"""Conversion: every format to every other one with the same floats, changes of words, and bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.conversion import Changes, convert
from spacy_embed.vectors.formats import Writing, format_to_write

NAMES = ["v.bin", "v.txt.gz", "v.glove", "v.table"]
WORDS = ["печь_NOUN", "Печь_VERB", "печь_VERB", "красная::площадь_PROPN", "дом_S", "дом::NOUN", "a_b", "x_X_X", "_NOUN"]


def made(folder, name, words=WORDS, dim=3):
    rows = np.random.default_rng(0).normal(size=(len(words), dim)).astype(np.float32)
    table = WordTable.build(words, rows)
    format_to_write(folder / name).write(table, folder / name, Writing())
    return folder / name, rows


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_every_format_becomes_every_other_one(tmp_path, source, target):
    path, rows = made(tmp_path, source)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / target
    done = convert(path, out)
    table = load_vectors(out)
    assert list(table.words) == WORDS
    assert np.array(table.rows).tobytes() == rows.tobytes()
    assert (done.words, done.dim, done.sentences()) == (len(WORDS), 3, [])
    assert [file.name for file in out.parent.iterdir()] == [target]
    with pytest.raises(InputError, match="exists already"):
        convert(path, out)
    assert convert(path, out, changes=Changes(top=2), writing=Writing(overwrite=True)).words == 2
    assert list(load_vectors(out).words) == WORDS[:2]


@pytest.mark.parametrize("target", NAMES)
def test_parts_of_speech_come_off_and_the_first_word_is_kept(tmp_path, target):
    path, rows = made(tmp_path, "in.bin")
    done = convert(path, tmp_path / target, changes=Changes(strip_pos=True))
    table = load_vectors(tmp_path / target)
    assert list(table.words) == ["печь", "Печь", "красная::площадь", "дом", "a_b", "x_X", "_NOUN"]
    assert table.rows.tolist() == rows[[0, 1, 3, 4, 6, 7, 8]].tolist()
    assert (done.renamed, done.merged) == (7, 2)
    assert len(done.sentences()) == 2
    lowered = convert(path, tmp_path / "lower.txt", changes=Changes(strip_pos=True, lower=True, top=3))
    assert list(load_vectors(tmp_path / "lower.txt").words) == ["печь"]
    assert (lowered.renamed, lowered.merged) == (3, 2)


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_vectors_are_scaled_to_length_one_and_zeros_stay(tmp_path, source, target):
    table = WordTable.build(["a", "zero", "b"], [[3, 4], [0, 0], [1e-30, 0]])
    format_to_write(tmp_path / source).write(table, tmp_path / source, Writing())
    (tmp_path / "out").mkdir()
    convert(tmp_path / source, tmp_path / "out" / target, changes=Changes(normalize=True))
    back = load_vectors(tmp_path / "out" / target)
    assert back.rows.tolist() == np.array([[0.6, 0.8], [0, 0], [1, 0]], np.float32).tolist()
    assert back.find(["a", "zero", "b"]).tolist() == [0, -1, 2]
    assert back.fingerprint == back.computed_fingerprint()


def test_rows_that_no_kept_word_has_are_left_out(tmp_path):
    table = WordTable.build(["a", "b", "c", "d"], np.arange(1, 9).reshape(4, 2), word_rows=[3, 1, 3, 0])
    table.save(tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "out", changes=Changes(top=3))
    back = load_vectors(tmp_path / "out")
    assert back.rows.tolist() == [[3, 4], [7, 8]]
    assert back.find(["a", "b", "c", "d"]).tolist() == [1, 0, 1, -1]
    assert back.fingerprint == back.computed_fingerprint() != load_vectors(tmp_path / "in").fingerprint


def test_notes_of_the_reading_and_the_writing_are_told(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"4 2\na 1 2\na 3 4\nnew york 5 6\n\xff 7 8\n")
    done = convert(tmp_path / "in.txt", tmp_path / "out.bin", writing=Writing(unwritable="replace"))
    assert list(load_vectors(tmp_path / "out.bin").words) == ["a", "new_york"]
    said = " ".join(done.sentences())
    for part in ("1 words stood there before", "1 words have spaces", "1 words are not UTF-8", "in line 5", "'_'"):
        assert part in said


def test_a_file_can_be_converted_onto_itself(tmp_path):
    path, rows = made(tmp_path, "v.txt")
    convert(path, path, to="word2vec-bin", writing=Writing(overwrite=True))
    assert load_vectors(path).rows.tobytes() == rows.tobytes()


def test_a_refused_conversion_leaves_nothing_behind(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"a 1 2\nb 3 4\nc 5 x\n")
    for target in NAMES:
        with pytest.raises(InputError, match=r"bad\.txt, line 3"):
            convert(tmp_path / "bad.txt", tmp_path / target)
    assert [file.name for file in tmp_path.iterdir()] == ["bad.txt"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    n, dim = 60_000, 300
    with (tmp_path / "v.bin").open("wb") as file:
        file.write(f"{n} {dim}\n".encode())
        rows = np.random.default_rng(0).normal(size=(1000, dim)).astype(np.float32)
        for i in range(n):
            file.write(b"w%d " % i + rows[i % 1000].tobytes())
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from spacy_embed.vectors.conversion import convert\n"
        "from spacy_embed.vectors.formats import all_formats\nall_formats()\n"
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) * 1024\n"
        "before = peak()\nconvert(Path(sys.argv[1]), Path(sys.argv[2]))\nprint(peak() - before)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "v.bin"), str(tmp_path / "copy.bin")]
    more = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # pages of the temporary file count while they are mapped, though the system can take them back: once the rows,
    # not twice; the rest is blocks
    assert more < n * dim * 4 + (48 << 20)
