"""The encoder: TF-IDF at the start, planted tasks solved, nothing made worse, the same bytes for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding, embedding_from_state, named_embedding, unit_rows
from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.training import judged_encoder
from spacy_embed.training.encoder_file import encoder_file, load_encoder
from spacy_embed.training.judged_encoder import JudgedEncoder, encoder_from_state
from spacy_embed.training.judged_queries import JudgedQueries
from spacy_embed.vectors import WordTable

WORDS, DIM, DOCUMENTS = 60, 8, 240


def bags_of(rows):
    return Bags.from_tokens(np.concatenate(rows).astype(np.int32), np.cumsum([0] + [len(row) for row in rows]))


def judged(queries, documents, table, relevant, grades=None):
    """Each query's relevant documents, lists, all of grade 1 unless given."""
    n = [len(of_query) for of_query in relevant]
    weights = np.ones(sum(n)) if grades is None else np.concatenate(grades)
    judgements = Bags.build(np.concatenate(relevant).astype(int), weights, np.cumsum([0, *n]))
    factor_of = np.arange(len(table), dtype=np.int32)
    return JudgedQueries(queries, documents, table.astype(np.float32), factor_of, judgements, Bags.empty(len(n)))


def noisy(seed, n=400):
    """Documents of a topic word, twice, and many another's queries share a loud word with documents by chance only."""
    random = np.random.default_rng(seed)
    table = unit_rows(np.random.default_rng(0).normal(size=(WORDS, DIM)))
    noise = WORDS - 1
    topics = random.integers(0, WORDS - 1, (DOCUMENTS, 3))
    documents = bags_of([[*of, *([noise] * (5 * int(random.random() < 0.5)))] for of in topics])
    asked = random.integers(0, DOCUMENTS, n)
    queries = bags_of([[topics[d, 0], topics[d, 1], noise, noise] for d in asked])
    return judged(queries, documents, table, asked[:, None]), noise


def start_quality(data):
    return judged_encoder._quality(data, judged_encoder._start(data, len(data.table))).mean()


def fitted_quality(data, encoder):
    parameters = judged_encoder.Parameters(np.log(encoder.factors.astype(float)), encoder.projection)
    return judged_encoder._quality(data, parameters).mean()


def test_a_loud_word_that_says_nothing_is_lowered():
    data, noise = noisy(1)
    encoder = JudgedEncoder(epochs=8).fit(data, WORDS)
    assert encoder.factors.argmin() == noise
    assert encoder.factors[noise] < 0.95
    assert encoder.learned.fitted > encoder.learned.start
    unseen, _ = noisy(2)
    assert fitted_quality(unseen, encoder) > start_quality(unseen) + 0.02


def test_a_rotated_query_space_is_recovered_for_words_never_trained_on():
    """Query words live in dimensions of their own, rotated: the map has to lay both over each other."""
    random = np.random.default_rng(5)
    n = 400
    of_documents = unit_rows(random.normal(size=(n, 4)))
    rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
    zeros = np.zeros((n, 4))
    table = np.concatenate([np.hstack([of_documents, zeros]), np.hstack([zeros, of_documents @ rotation])])
    documents = bags_of([[i] for i in range(n)])
    queries = bags_of([[n + i] for i in range(n)])
    data = judged(queries, documents, table, np.arange(n)[:, None])
    train, test = np.arange(300), np.arange(300, n)
    encoder = JudgedEncoder(margin=0.2, epochs=20).fit(data.take(train), 2 * n)
    assert start_quality(data.take(test)) < 0.1
    assert fitted_quality(data.take(test), encoder) > 0.6


def test_loss_falls_and_epochs_are_counted():
    encoder = JudgedEncoder(margin=0.1, epochs=6).fit(noisy(1)[0], WORDS)
    losses = encoder.learned.losses
    assert len(losses) == encoder.learned.epochs > 1
    assert losses[-1] < 0.9 * losses[0]


def test_a_higher_grade_is_to_rank_higher():
    """Documents of the first of two query words are of grade 2, those of the second of grade 1: the start ties them."""
    random = np.random.default_rng(7)
    table = np.eye(20)
    good, fair = np.arange(10), np.arange(10, 20)
    pairs = np.stack([random.integers(0, 10, 300), random.integers(10, 20, 300)], axis=1)
    documents = bags_of([[word] for word in [*good, *fair]])
    queries = bags_of(pairs)
    grades = [[2.0, 1.0]] * len(pairs)
    data = judged(queries, documents, table, pairs, grades)
    encoder = JudgedEncoder(margin=0.1, epochs=5).fit(data, 20)
    reversed_data = judged(queries, documents, table, pairs, [[1.0, 2.0]] * len(pairs))
    assert encoder.factors[:10].min() > encoder.factors[10:].max()
    other = JudgedEncoder(margin=0.1, epochs=5).fit(reversed_data, 20)
    assert other.factors[:10].max() < other.factors[10:].min()


def test_what_is_not_seen_keeps_its_weight_and_a_stand_in_shares_one():
    data, _ = noisy(1)
    # two rows more: one that nothing holds, one of query words that row 3 stands for
    table = np.concatenate([data.table, unit_rows(np.random.default_rng(1).normal(size=(2, DIM)))])
    factor_of = np.concatenate([data.factor_of, np.array([WORDS, 3], np.int32)])
    wide = data._replace(table=table.astype(np.float32), factor_of=factor_of)
    encoder = JudgedEncoder(margin=0.1, epochs=3).fit(wide, WORDS + 1)
    assert encoder.factors[WORDS] == 1.0
    assert len(encoder.factors) == WORDS + 1
    assert (encoder.factors > 0).all()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    data, _ = noisy(1, n=150)
    one, two, other = (JudgedEncoder(epochs=2, margin=0.1, seed=seed).fit(data, WORDS) for seed in (1, 1, 2))
    assert state_to_bytes(one.state()) == state_to_bytes(two.state())
    assert one.projection.tobytes() != other.projection.tobytes()


def test_epochs_that_do_not_help_are_not_taken():
    """Relevant documents drawn by chance: nothing holds for queries that were held out."""
    data, _ = noisy(1, n=300)
    random = np.random.default_rng(1)
    topics = np.repeat(np.arange(30), 10)
    # the start is perfect: one word a document, its own query's
    table = np.eye(30)
    perfect = judged(bags_of([[t] for t in topics]), bags_of([[t] for t in range(30)]), table, topics[:, None])
    encoder = JudgedEncoder(epochs=2).fit(perfect, 30)
    assert encoder.learned.epochs == 0
    assert encoder.learned.start == encoder.learned.fitted == 1.0
    assert (encoder.factors == 1).all()
    assert (encoder.projection == np.eye(30)).all()
    by_chance = data._replace(judgements=Bags.build(random.integers(0, DOCUMENTS, 300), np.ones(300), np.arange(301)))
    found = JudgedEncoder(epochs=2).fit(by_chance, WORDS).learned
    assert found.fitted >= found.start


def test_few_queries_are_all_learned_from():
    data, _ = noisy(1)
    few = data.take(np.arange(3))
    found = JudgedEncoder().fit(few, WORDS).learned
    assert (found.queries, found.start, found.fitted) == (3, None, None)


def test_the_start_is_tfidf_and_the_map_can_be_folded_into_the_table():
    data, _ = noisy(1)
    table, counts = data.table, data.documents
    tfidf = named_embedding("tfidf").fit(counts, table)
    start = JudgedEncoder(factors=np.ones(WORDS, np.float32), projection=np.eye(DIM, dtype=np.float32))
    assert start.embedding(tfidf).transform(counts, table).tobytes() == tfidf.transform(counts, table).tobytes()
    encoder = JudgedEncoder(margin=0.1, epochs=6).fit(data, WORDS)
    mapped = encoder.embedding(tfidf).transform(counts, table)
    folded = replace(encoder.embedding(tfidf), projection=None).transform(counts, table @ encoder.projection.T)
    np.testing.assert_allclose(mapped, folded, atol=1e-6)
    assert np.abs(mapped - tfidf.transform(counts, table)).max() > 1e-3


def test_state_round_trips_and_the_table_may_grow():
    data, _ = noisy(1, n=150)
    encoder = JudgedEncoder(margin=0.1, epochs=6).fit(data, WORDS)
    again = encoder_from_state(state_from_bytes(state_to_bytes(encoder.state())))
    assert again.learned == encoder.learned
    assert state_to_bytes(again.state()) == state_to_bytes(encoder.state())
    tfidf = named_embedding("tfidf").fit(data.documents, data.table)
    embedding = encoder.embedding(tfidf)
    restored = embedding_from_state(state_from_bytes(state_to_bytes(embedding.state())))
    found = restored.transform(data.queries, data.table)
    assert found.tobytes() == embedding.transform(data.queries, data.table).tobytes()
    wider = encoder.widened(WORDS + 3).embedding(tfidf.widened(WORDS + 3))
    table = np.concatenate([data.table, np.ones((3, DIM), np.float32)])
    assert wider.transform(data.queries, table).tobytes() == found.tobytes()
    assert wider.weighting.factors[-3:].tolist() == [1, 1, 1]


def test_a_later_fit_of_idf_keeps_what_was_learned():
    data, _ = noisy(1, n=150)
    encoder = JudgedEncoder(margin=0.1, epochs=6).fit(data, WORDS)
    embedding = encoder.embedding(named_embedding("tfidf").fit(data.documents, data.table))
    half = data.documents.slice(0, 100)
    refitted, plain = embedding.fit(half, data.table), named_embedding("tfidf").fit(half, data.table)
    assert refitted.weighting.factors is encoder.factors
    assert refitted.weighting.idf.tolist() == plain.weighting.idf.tolist()


def test_a_file_of_an_encoder_serves_another_table(tmp_path):
    data, _ = noisy(1, n=150)
    words = [f"w{i}" for i in range(WORDS)]
    encoder = JudgedEncoder(margin=0.1, epochs=6).fit(data, WORDS)
    encoder_file(encoder, "en", words, np.arange(WORDS, dtype=np.int32)).save(tmp_path / "encoder")
    read = load_encoder(tmp_path / "encoder")
    assert read.lang == "en"
    order = np.random.default_rng(0).permutation(WORDS)
    table = WordTable.build(["new", *(words[i] for i in order)], np.vstack([np.ones(DIM), data.table[order]]))
    place = np.empty(WORDS, np.int32)
    place[order] = np.arange(1, WORDS + 1)
    bags = data.documents.map_rows(place)
    found = read.embedding(named_embedding("tfidf").fit(bags, table.rows), table).transform(bags, table.rows)
    own = encoder.embedding(named_embedding("tfidf").fit(data.documents, data.table))
    np.testing.assert_allclose(found, own.transform(data.documents, data.table), atol=1e-6)
    narrow = WordTable.build(["a"], np.ones((1, 3)))
    with pytest.raises(InputError, match="maps 8 dimensions, but the table has 3"):
        read.embedding(BagEmbedding(), narrow)
    with pytest.raises(InputError, match="fitted over 'tfidf'"):
        read.embedding(BagEmbedding(), table)


@pytest.mark.parametrize("damage", ["cut", "other", "sizes"])
def test_a_damaged_file_is_refused(tmp_path, damage):
    file = tmp_path / "encoder"
    state = {"format": "spacy-embed encoder", "version": 1, "lang": "en", "words": ["a"]}
    arrays = {"factors": np.ones(1, np.float32), "projection": np.eye(2, dtype=np.float32)}
    if damage == "sizes":
        arrays["factors"] = np.ones(2, np.float32)
    content = state_to_bytes({"format": "x"} if damage == "other" else {**state, **arrays})
    file.write_bytes(content[:-30] if damage == "cut" else content)
    with pytest.raises(InputError, match=r"damaged|not an encoder") as caught:
        load_encoder(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        load_encoder(tmp_path / "missing")


def test_bad_settings_and_nothing_to_learn_from():
    with pytest.raises(InputError, match="margin"):
        JudgedEncoder(margin=0)
    with pytest.raises(InputError, match="epoch"):
        JudgedEncoder(epochs=0)
    data, _ = noisy(1, n=10)
    with pytest.raises(InputError, match="nothing to learn from"):
        JudgedEncoder().fit(data._replace(queries=Bags.empty(10)), WORDS)
    with pytest.raises(InputError, match="nothing to learn from"):
        JudgedEncoder().fit(data._replace(judgements=Bags.empty(10)), WORDS)
    with pytest.raises(InputError, match="has not been fitted"):
        JudgedEncoder().embedding(named_embedding("tfidf"))
    mapped = BagEmbedding(projection=np.eye(5, dtype=np.float32))
    with pytest.raises(InputError, match="5 dimensions does not fit a table of 8"):
        mapped.transform(data.documents, data.table)
