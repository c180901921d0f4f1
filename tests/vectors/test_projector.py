"""Files for TensorBoard's projector: the same floats, one line a vector whatever its label."""

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.vectors.projector import write_projector

ROWS = np.random.default_rng(0).normal(size=(2500, 3)).astype(np.float32) * 10.0 ** np.arange(
    -20, 22, 14, dtype=np.float32
)


def test_floats_come_back_and_one_column_has_no_header(tmp_path):
    words = [f"w{i}" for i in range(2500)]
    words[3] = "tab\tline\nreturn\rback\\slash"
    write_projector(tmp_path / "out", ROWS.astype(np.float32), {"label": words})
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "vectors.tsv",
        "metadata.tsv",
        "projector_config.pbtxt",
    }
    read = np.loadtxt(tmp_path / "out" / "vectors.tsv", delimiter="\t", dtype=np.float32)
    np.testing.assert_array_equal(read, ROWS.astype(np.float32))
    lines = (tmp_path / "out" / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[-1] == ""
    assert lines[:3] == ["w0", "w1", "w2"]
    assert lines[3] == "tab\\tline\\nreturn\\rback\\\\slash"
    assert len(lines) == 2501
    config = (tmp_path / "out" / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "vectors.tsv"' in config
    assert 'metadata_path: "metadata.tsv"' in config


def test_several_columns_have_a_header(tmp_path):
    write_projector(tmp_path / "out", np.eye(2, dtype=np.float32), {"label": ["a", "б"], "class": ["en", "ru"]})
    assert (tmp_path / "out" / "metadata.tsv").read_text(encoding="utf-8") == "label\tclass\na\ten\nб\tru\n"


def test_a_folder_is_replaced_only_when_that_is_asked_for(tmp_path):
    rows = np.eye(2, dtype=np.float32)
    write_projector(tmp_path / "out", rows, {"label": ["a", "b"]})
    with pytest.raises(InputError, match="--overwrite"):
        write_projector(tmp_path / "out", rows, {"label": ["c", "d"]})
    write_projector(tmp_path / "out", rows, {"label": ["c", "d"]}, overwrite=True)
    assert (tmp_path / "out" / "metadata.tsv").read_text() == "c\nd\n"
    with pytest.raises(InputError, match="needs a label"):
        write_projector(tmp_path / "other", rows, {"label": ["a"]})
    with pytest.raises(InputError, match="needs a label"):
        write_projector(tmp_path / "other", rows, {})
    assert not (tmp_path / "other").exists()
