"""Requests and bytes of an index in object storage, against an S3 emulator on loopback.

    python benchmarks/remote.py [--documents 10000] [--added 100]

Two caches stand for two machines. Counted are requests, and bytes of bodies, as the client sends and receives them.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
from reporting import print_table, say

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.object_storage import BUCKET, ENVIRONMENT, Emulator

URL = f"s3://{BUCKET}/index"
_WORDS = 20_000
_LENGTH = 60
_DIM = 256


def text_of(number: int, words: list[str]) -> str:
    """Sixty words, frequent ones more often, the same for the same number."""
    draw = random.Random(number)
    return " ".join(words[int(_WORDS * draw.random() ** 3)] for _ in range(_LENGTH))


def make_words() -> list[str]:
    """Made of syllables, as long as words are."""
    draw = random.Random(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    found: dict[str, None] = {}
    while len(found) < _WORDS:
        found["".join(draw.choices(syllables, k=draw.randint(2, 4)))] = None
    return list(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--added", type=int, default=100)
    options = parser.parse_args()
    server = Emulator()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(ENVIRONMENT, AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL=server.endpoint)
        server.client().create_bucket(Bucket=BUCKET)

        def on(machine: str) -> None:
            os.environ["SPACY_EMBED_CACHE"] = f"{folder}/{machine}"
            server.forget()

        def note(what: str) -> None:
            asked = ", ".join(f"{n} {method}" for method, n in sorted(server.requests.items()))
            sent, received = server.sent // 1000, server.received // 1000
            rows.append({"step": what, "requests": asked, "kB sent": sent, "kB received": received})
            say(str(rows[-1]))
            server.forget()

        measure(Path(folder), options.documents, options.added, on, note)
        sizes = server.objects()
        say(f"{len(sizes)} objects, {sum(sizes.values()) / 1e6:.1f} MB")
    print_table(rows)
    server.close()


def measure(folder: Path, n_documents: int, n_added: int, on, note) -> None:
    from spacy_embed.embedding import unit_rows
    from spacy_embed.pipeline.index import Index
    from spacy_embed.pipeline.text_kernel import TextKernel
    from spacy_embed.pipeline.workers import encode_batches
    from spacy_embed.retrieval.corpus_formats import Document
    from spacy_embed.retrieval.encoded import text_batches
    from spacy_embed.retrieval.index_build import build_index
    from spacy_embed.retrieval.index_plan import IndexPlan
    from spacy_embed.retrieval.remote_publish import building_place, publish
    from spacy_embed.retrieval.spool import Spool
    from spacy_embed.vectors import WordTable

    words = make_words()
    rows = unit_rows(np.random.default_rng(0).normal(size=(len(words), _DIM)))
    table = WordTable.build(words, rows).save(folder / "table")
    kernel = TextKernel("en")

    def spool_documents(place: Path) -> Spool:
        spool = Spool(place, kernel.identity())
        documents = (Document(f"d{i}", "en", "", text_of(i, words), {}, "") for i in range(n_documents))
        spool.add(encode_batches(kernel, text_batches(spool.rest(documents)), 1))
        return spool

    def fields(start: int) -> list[dict]:
        return [{"id": f"d{i}", "lang": "en", "text": text_of(i, words)} for i in range(start, start + n_added)]

    on("one")
    place = building_place(URL)
    build_index(place, IndexPlan("tables", {"en": table}), spool_documents, kernel.save_pipelines)
    on("one")
    publish(place, URL)
    note(f"publish {n_documents:,} documents")
    Index(URL)
    note("open where it was made")
    on("two")
    two = Index(URL, follow=False)
    note("open on another machine, cold")
    Index(URL)
    note("open again, warm")
    two.search(fields(0)[0]["text"], lang="en")
    note("search in an opened index")
    on("one")
    one = Index(URL)
    note("open (one)")
    one.add(fields(n_documents))
    note(f"add {n_added} documents")
    on("two")
    two.reopen()
    note("another machine fetches that")
    on("one")
    one.delete(["d1", "d2"])
    note("delete 2 documents")
    one.compact()
    note("compact")
    on("two")
    two.reopen()
    note("another machine fetches that")


if __name__ == "__main__":
    main()
