"""What becomes of a command's errors. Exit codes: 0 done, 1 the job failed, 2 bad input."""

import multiprocessing
import multiprocessing.util
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from typer.core import TyperGroup

from spacy_embed.errors import SpacyEmbedError
from spacy_embed.retrieval.remote_url import as_named

OWN_PROCESS = "own process"
"""The context's object where a command has its process to itself."""

_RESUMED = ("index", "add", "update", "distill", "train")
"""Commands that keep what an interrupted run has done."""


class ReportingGroup(TyperGroup):
    """A command group that turns errors into one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except SpacyEmbedError as error:
            sys.exit(_report(str(error), error.exit_code))
        except BrokenProcessPool:
            sys.exit(
                _report(
                    "A worker process died (out of memory?): nothing that was there is lost. Try fewer --workers.", 1
                )
            )
        except MemoryError:
            sys.exit(_report("Out of memory: nothing that was there is lost.", 1))
        except BrokenPipeError:
            # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            sys.exit(_report(f"{error.strerror or error}{place}: nothing that was there is lost.", 1))
        except UnicodeError as error:
            sys.exit(_report(f"Not valid UTF-8 ({error}): convert the text.", 2))
        except (KeyboardInterrupt, EOFError):
            goes_on = "; the same command goes on from here" * (ctx.invoked_subcommand in _RESUMED)
            _leave(_report(f"Interrupted: what was there before is as it was{goes_on}.", 130))
        except Exception as error:
            # whatever else goes wrong is ours to mend, but a user wants one line
            if click_error(error) or os.environ.get("SPACY_EMBED_TRACEBACK"):
                raise
            hint = "set SPACY_EMBED_TRACEBACK=1 for the details and report them"
            sys.exit(_report(f"{type(error).__name__}: {error} ({hint})", 1))


def _leave(exit_code: int) -> None:
    """End at once: temporary files are gone by now, and an ordinary exit would wait for workers."""
    for child in multiprocessing.active_children():
        child.terminate()
    # semaphores are unlinked here; what has a lower priority joins threads
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def click_error(error: Exception) -> bool:
    """Whether typer itself reports the error (usage, exit, abort)."""
    return hasattr(error, "exit_code") or type(error).__name__ in {"Exit", "Abort"}


def _report(message: str, exit_code: int) -> int:
    print(f"error: {' '.join(as_named(message).split())}", file=sys.stderr)
    return exit_code
