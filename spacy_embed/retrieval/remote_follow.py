"""Following an index in object storage: its copy is brought up to date now and then, by one thread at a time."""

import threading
import time
import warnings
from pathlib import Path

from spacy_embed.retrieval.remote_pull import NoIndexError, bring_up
from spacy_embed.retrieval.remote_store import RemoteError

EVERY = 1.0
"""Seconds between two looks, of which each is a request."""


class Follower:
    """Brings a copy up to the newest version when it is asked to look.

    Args:
        index: The copy.
        url: What it is a copy of; "" for an index of its own, for which looking does nothing.
    """

    def __init__(self, index: Path, url: str) -> None:
        self.index = index
        self.url = url
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._is_cut_off = False

    def look(self) -> None:
        """Bring it up to date. Raises RemoteError when the store cannot be used."""
        if self.url:
            with self._lock:
                self._bring_up()

    def look_now_and_then(self) -> None:
        """The same if the last look was some time ago; when the store cannot be used, a warning, once."""
        if not self.url or time.monotonic() - self._last < EVERY or not self._lock.acquire(blocking=False):
            # another thread looks; this one searches what is there
            return
        try:
            self._bring_up()
        except NoIndexError:
            raise
        except RemoteError as error:
            if not self._is_cut_off:
                warnings.warn(f"{error} Searching the version that is here.", stacklevel=3)
            self._is_cut_off = True
        finally:
            self._lock.release()

    def _bring_up(self) -> None:
        self._last = time.monotonic()
        bring_up(self.index, self.url)
        self._is_cut_off = False
