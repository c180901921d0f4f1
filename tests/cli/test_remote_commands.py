"""URLs where paths go: every command that takes an index or reads files, its faults in one line, and kill -9."""

import gzip
import json
import shutil
import signal
import subprocess
import sys

import pytest

from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval.remote_url import cache_root
from tests.conftest import LANGUAGES, TEXTS
from tests.object_storage import BUCKET
from tests.stores import cache_pipelines, contents

URL = "s3://bucket/indexes/one"


@pytest.fixture(autouse=True)
def _cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture
def put(s3):
    def put_object(name, data):
        s3.client().put_object(Bucket=BUCKET, Key=name, Body=data.encode() if isinstance(data, str) else data)
        return f"s3://{BUCKET}/{name}"

    return put_object


def jsonl(documents):
    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in documents)


def texts(langs=LANGUAGES, start=0):
    return [
        {"_id": f"{lang}-{start + i}", "lang": lang, "text": text}
        for lang in langs
        for i, text in enumerate(TEXTS[lang][start:])
    ]


@pytest.fixture(scope="module")
def made_once():
    return {}


@pytest.fixture
def made(cli, s3, put, vector_options, made_once, tmp_path_factory):
    """An index of the first texts of each language, made of a corpus in object storage; its maker has a copy."""
    if made_once:
        for name, data in made_once["objects"].items():
            put(name, data)
        shutil.copytree(made_once["cache"], cache_root())
        return URL
    corpus = put("corpora/texts.jsonl.gz", gzip.compress(jsonl(texts()).encode()))
    result = cli("index", corpus, URL, *vector_options, "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert (facts["index"], facts["documents"]) == (URL, 15)
    names = s3.objects()
    made_once["objects"] = {name: s3.client().get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}
    made_once["cache"] = tmp_path_factory.mktemp("made") / "cache"
    shutil.copytree(cache_root(), made_once["cache"])
    return URL


def on_another_machine(monkeypatch, tmp_path, name="another"):
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / name))


def hits(result):
    assert result.code == 0, result.err
    return [(hit["id"], hit["score"], hit["words"]) for hit in json.loads(result.out)["hits"]]


def test_every_command_takes_a_url(cli, s3, put, made, tmp_path, monkeypatch, vector_options):
    (tmp_path / "texts.jsonl").write_text(jsonl(texts()), encoding="utf-8")
    local = tmp_path / "local"
    assert cli("index", tmp_path / "texts.jsonl", local, *vector_options).code == 0
    on_another_machine(monkeypatch, tmp_path)
    more = [{"_id": "more", "lang": "en", "text": TEXTS["en"][0]}]
    (tmp_path / "more.jsonl").write_text(jsonl(more))
    for index, corpus in ((local, tmp_path / "more.jsonl"), (URL, put("more.jsonl", jsonl(more)))):
        added = cli("add", index, corpus, "--json")
        assert json.loads(added.out.splitlines()[-1])["added"] == 1, added.err
        assert cli("delete", index, "ru-0", "zh-1").code == 0
        changed = put("changed.jsonl", jsonl([{**more[0], "text": TEXTS["en"][1]}]))
        assert cli("update", index, changed).out.startswith(f"{index}: added 0, replaced 1")
        assert cli("compact", index).out.startswith(f"{index}: documents 14")
    for lang in LANGUAGES:
        query = TEXTS[lang][2]
        assert hits(cli("search", URL, query, "--lang", lang, "--json")) == hits(
            cli("search", local, query, "--lang", lang, "--json")
        )
    facts = json.loads(cli("info", URL, "--verify", "--json").out)
    assert (facts["documents"], facts["verified"]) == (14, True)
    queries = put("queries.jsonl", jsonl([{"_id": "q", "text": TEXTS["en"][2], "lang": "en"}]))
    qrels = put("qrels.tsv", "query-id\tcorpus-id\tscore\nq\ten-2\t1\n")
    judged = cli("evaluate", "retrieval", URL, "--queries", queries, "--qrels", qrels, "--json")
    assert judged.code == 0, judged.err
    found = cli("search", URL, "--queries", queries, "--json")
    assert hits(found)[0][0] == "en-2"


@pytest.mark.parametrize("form", ["BEIR folder", "folder of texts", "folder of BEIR folders"])
def test_folders_in_object_storage_are_corpora(cli, s3, put, form, vector_options):
    rows = [{"_id": str(i), "text": text} for i, text in enumerate(TEXTS["en"])]
    put("corpus/README.md", "not read")
    put("corpus/huge.bin", b"\0" * 1000)
    if form == "BEIR folder":
        put("corpus/corpus.jsonl.gz", gzip.compress(jsonl(rows).encode()))
        ids = {"0", "1", "2"}
    elif form == "folder of texts":
        for i, text in enumerate(TEXTS["en"]):
            put(f"corpus/part/{i}.txt", text)
        ids = {f"part/{i}.txt" for i in range(3)}
    else:
        put("corpus/en/corpus.jsonl", jsonl(rows))
        ids = {f"en/{i}" for i in range(3)}
    result = cli("index", "s3://bucket/corpus", URL, "--lang", "en", *vector_options)
    assert result.code == 0, result.err
    assert set(Index(URL).snapshot.ids) == ids


def test_inputs_are_fetched_once_and_again_when_they_change(cli, s3, put, made):
    queries = put("queries.jsonl", jsonl([{"_id": "q", "text": TEXTS["en"][2], "lang": "en"}]))
    s3.forget()
    first = hits(cli("search", URL, "--queries", queries, "--json"))
    assert s3.requests["GET"] == 1
    assert hits(cli("search", URL, "--queries", queries, "--json")) == first
    assert s3.requests["GET"] == 1
    put("queries.jsonl", jsonl([{"_id": "q", "text": TEXTS["es"][2], "lang": "es"}]))
    assert hits(cli("search", URL, "--queries", queries, "--json")) != first


def test_vectors_in_object_storage_serve_every_machine(cli, s3, put, tables, tmp_path, monkeypatch):
    for file in tables["en"].path.rglob("*"):
        if file.is_file():
            put(f"vectors/{file.relative_to(tables['en'].path).as_posix()}", file.read_bytes())
    corpus = put("texts.jsonl", jsonl(texts(["en"])[:1]))
    result = cli("index", corpus, URL, "--vectors", "s3://bucket/vectors")
    assert result.code == 0, result.err
    on_another_machine(monkeypatch, tmp_path)
    assert json.loads(cli("info", URL, "--json").out)["tables"][0]["path"] == "s3://bucket/vectors"
    # words that the index lacks come from the table
    assert cli("add", URL, put("more.jsonl", jsonl(texts(["en"])[1:]))).code == 0
    assert json.loads(cli("info", URL, "--json").out)["covered"] == 1.0


def test_an_index_made_here_is_published(cli, s3, tmp_path, vector_options, made, monkeypatch):
    (tmp_path / "texts.jsonl").write_text(jsonl(texts(["es"])), encoding="utf-8")
    local = tmp_path / "local"
    assert cli("index", tmp_path / "texts.jsonl", local, *vector_options).code == 0
    refused = cli("publish", local, URL)
    assert (refused.code, refused.err) == (
        2,
        f"error: {URL} exists already: choose another place, or replace it with --overwrite.\n",
    )
    assert cli("publish", local, URL, "--overwrite").out.startswith(f"{URL}: documents 3")
    on_another_machine(monkeypatch, tmp_path)
    assert contents(Index(URL).snapshot) == contents(Index(local).snapshot)


def test_an_index_is_replaced(cli, s3, put, made, vector_options):
    corpus = put("other.jsonl", jsonl(texts(["pt"])))
    refused = cli("index", corpus, URL, *vector_options)
    assert refused.code == 2
    assert "exists already" in refused.err
    assert cli("index", corpus, URL, *vector_options, "--overwrite").code == 0
    assert len(Index(URL)) == 3


def refusing(status, code):
    return lambda s3: setattr(s3, "refuse", lambda method, path: (status, code))


def no_credentials(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # nobody answers where cloud machines ask for theirs
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9/metadata")


@pytest.mark.parametrize(
    ("harm", "url", "message"),
    [
        (None, "s3://bucket/indexes/none", "There is no index at s3://bucket/indexes/none: make one with"),
        (None, "s3://no-such-bucket/one", "there is no bucket 'no-such-bucket' at http://127.0.0.1:"),
        (None, "s3://bucket", "Expected s3://BUCKET/PATH, got 's3://bucket'"),
        (refusing(403, "InvalidAccessKeyId"), URL, "access was refused"),
        (refusing(403, "AccessDenied"), URL, "access was refused"),
        ("nobody answers", URL, "http://127.0.0.1:9 cannot be reached"),
        ("no credentials", URL, "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("not installed", URL, "To use s3:// URLs, install the extra 'cloud': pip install 'spacy-embed[cloud]'"),
        ("damaged", URL, "is damaged"),
    ],
)
def test_faults_are_said_in_one_line(cli, s3, made, monkeypatch, tmp_path, harm, url, message):
    on_another_machine(monkeypatch, tmp_path)
    before = s3.objects()
    if harm == "nobody answers":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    elif harm == "no credentials":
        no_credentials(monkeypatch)
    elif harm == "not installed":
        monkeypatch.setitem(sys.modules, "obstore", None)
    elif harm == "damaged":
        name = next(name for name in before if "/packs/" in name)
        s3.client().put_object(Bucket=BUCKET, Key=name, Body=b"\0" * before[name])
    elif harm is not None:
        harm(s3)
    for command in (["search", url, "river"], ["delete", url, "en-0"], ["compact", url]):
        result = cli(*command)
        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1
        assert str(tmp_path) not in result.err
    s3.refuse = lambda method, path: None
    assert s3.objects() == before


def test_a_full_bucket_keeps_what_it_had(cli, s3, put, made, vector_options, monkeypatch, tmp_path):
    corpus = put("more.jsonl", jsonl([{"_id": "more", "lang": "en", "text": TEXTS["en"][0]}]))
    before = s3.objects()
    s3.refuse = lambda method, path: (507, "InsufficientStorage") if method == "PUT" else None
    for command in (
        ["add", URL, corpus],
        ["delete", URL, "en-0"],
        ["compact", URL],
        ["index", corpus, "s3://bucket/indexes/two", *vector_options],
        ["index", corpus, URL, *vector_options, "--overwrite"],
    ):
        result = cli(*command)
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert "the bucket is full" in result.err
    s3.refuse = lambda method, path: None
    assert s3.objects() == before
    assert cli("add", URL, corpus).code == 0
    assert len(Index(URL)) == 16


def test_what_is_passed_over_is_written_where_we_are(cli, s3, put, made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = cli("add", URL, put("bad.jsonl", '{"_id": "good", "text": "The river."}\nbroken\n'), "--skip-bad")
    assert result.code == 0, result.err
    assert (tmp_path / "one.rejects.jsonl").is_file()


def kept_by(url):
    return contents_of(Index(url))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_at_any_moment_of_a_push_or_a_pull(s3, put, made, monkeypatch, tmp_path):
    # whether the request at which the process dies is carried out
    push, commit = ("PUT", "/packs/"), ("PUT", "/versions/")
    moments = [(*push, False), (*commit, False), (*commit, True), ("GET", "/packs/", False)]
    held = kept_by(URL)
    for number, (method, part, is_carried_out) in enumerate(moments):
        batch = {f"new-{number}-{i}": TEXTS["en"][i % 3] for i in range(6)}
        corpus = put(f"part{number}.jsonl", jsonl({"_id": i, "lang": "en", "text": text} for i, text in batch.items()))
        on_another_machine(monkeypatch, tmp_path, f"killed {number}")
        killed, jobs = [], []

        def kill_there(asked, path, moment=(method, part), killed=killed, jobs=jobs):
            if not killed and asked == moment[0] and moment[1] in path:
                killed.append(path)
                jobs[0].kill()
                return 503, "SlowDown"
            return None

        setattr(s3, "lose" if is_carried_out else "refuse", kill_there)
        job = subprocess.Popen(
            [sys.executable, "-m", "spacy_embed", "add", URL, corpus, "--commit-every", "3"], stderr=subprocess.PIPE
        )
        jobs.append(job)
        _, err = job.communicate(timeout=60)
        s3.refuse = s3.lose = lambda *asked: None
        assert (job.returncode, len(killed)) == (-signal.SIGKILL, 1), err
        if is_carried_out:
            held |= dict(list(batch.items())[:3])
        assert kept_by(URL) == held
        index = Index(URL)
        index.update([{"id": id_, "lang": "en", "text": text} for id_, text in batch.items()])
        held |= batch
        on_another_machine(monkeypatch, tmp_path, f"new {number}")
        assert kept_by(URL) == contents_of(index) == held


def contents_of(index):
    return {id_: text for id_, (_, _, text, _) in contents(index.snapshot).items()}
