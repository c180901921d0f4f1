"""Reading a part of a corpus in a task: its documents, their ids, and every fault in its place."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from spacy_embed.cluster.repeated_ids import IdHashes
from spacy_embed.cluster.splits import Split, read_split
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import collect_rarely
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.pretokenized import PretokenizedKernel
from spacy_embed.retrieval.text_lines import Fault, refuse


class SplitReading:
    """The documents of a part of a corpus, read once, and what is wrong with some of them.

    Args:
        split: What to read.
        repeated: Documents whose id an earlier one has, as places in the part, and where that one is: left out.
        keep_going: Write faults down instead of raising them.
    """

    def __init__(self, split: Split, repeated: Sequence[tuple[int, str]] = (), *, keep_going: bool = False) -> None:
        self.split = split
        self.repeated = dict(repeated)
        self.keep_going = keep_going
        self.ids = IdHashes()
        self._faults: list[tuple[int, Fault]] = []
        self._passed: list[int] = []
        """Places of the documents that are being encoded."""

    def __iter__(self) -> Iterator[Document]:
        for document in read_split(self.split, self._note):
            first = self.repeated.get(len(self.ids))
            if first is None:
                self._passed.append(len(self.ids))
                self.ids.add(document.id)
                yield document
            else:
                self._note(repeated_id(document, first))
                self.ids.add(document.id)

    def _note(self, fault: Fault) -> None:
        if not self.keep_going:
            refuse(fault)
        self._faults.append((len(self.ids), fault))

    def note_faults(self, encoded: pa.RecordBatch) -> None:
        """Take in what could not be encoded."""
        places, self._passed = self._passed[: encoded.num_rows], self._passed[encoded.num_rows :]
        for i, reason in enumerate(encoded.column("fault").to_pylist()):
            if reason:
                fault = Fault.at(encoded.column("where")[i].as_py(), reason, encoded.column("text")[i].as_py())
                if not self.keep_going:
                    refuse(fault)
                self._faults.append((places[i], fault))

    def faults_in_order(self) -> list[Fault]:
        """All of them."""
        return [fault for _, fault in sorted(self._faults, key=lambda placed: placed[0])]


def repeated_id(document: Document, first: str) -> Fault:
    """What is wrong with a document whose id an earlier one has."""
    reason = f"the id {document.id!r} is taken already by {first}. Ids must be unique."
    return Fault.at(document.where, reason, document.text)


_KEPT_KERNELS = 2


class _Loaded(threading.local):
    """Kernels with the pipelines that they have built, which are not for several threads at once."""

    def __init__(self) -> None:
        self.kernels: dict[str, Any] = {}


_of_thread = _Loaded()

AnyKernel = TypeVar("AnyKernel", bound=TextKernel | PretokenizedKernel)


def loaded_kernel(kernel: AnyKernel) -> AnyKernel:
    """The kernel of this thread that is the same and has its pipelines built: one that was sent comes without."""
    identity = str(kernel.identity())
    if identity not in _of_thread.kernels:
        # what pipelines cache is no garbage, and much to look through
        collect_rarely()
    loaded: AnyKernel = _of_thread.kernels.pop(identity, kernel)
    _of_thread.kernels[identity] = loaded
    # a worker that lives for many jobs does not keep the pipelines of all
    while len(_of_thread.kernels) > _KEPT_KERNELS:
        del _of_thread.kernels[next(iter(_of_thread.kernels))]
    return loaded
