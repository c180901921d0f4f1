"""What stood in a vector file beside plain rows, and what was done with it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ReadingNotes:
    """Counts of what a reader met; all zero for a file as it should be.

    Attributes:
        claimed: Words that the header claims; -1 where they are as many as there are, or there is no header.
        found: Words that the file holds, those that were left out with them.
        words_with_spaces: Words with a space inside; the numbers are the last fields of the line.
        unicode_spaces: Words with another space inside (U+00A0, U+3000 ...), which separates nothing.
        duplicates: Words that stood there before; the first vector is kept.
        bad_utf8: Words that are not UTF-8, left out.
        first_bad_utf8: The line, or in a binary file the word, of the first one; 0 for none.
        empty_words: Vectors without a word, left out.
        zero_vectors: Words whose vector is zero; they count as not in the table.
        tabs: Lines with tabs between fields, taken as spaces.
        carriage_returns: Lines that end in CR LF.
        trailing_spaces: Lines with spaces after the last number.
        byte_order_mark: Whether the file began with U+FEFF, which was skipped.
        trailing_bytes: Bytes after the last word that the header of a binary file claims, not read.
        only_first: Whether reading stopped after the words that were asked for.
    """

    claimed: int = -1
    found: int = 0
    words_with_spaces: int = 0
    unicode_spaces: int = 0
    duplicates: int = 0
    bad_utf8: int = 0
    first_bad_utf8: int = 0
    empty_words: int = 0
    zero_vectors: int = 0
    tabs: int = 0
    carriage_returns: int = 0
    trailing_spaces: int = 0
    byte_order_mark: bool = False
    trailing_bytes: int = 0
    only_first: bool = False

    @classmethod
    def of(cls, source: Any) -> "ReadingNotes":
        """The notes kept in a table's ``metadata["source"]``; none for a table that was not read from a file."""
        kept = source.get("notes") if isinstance(source, dict) else None
        kept = kept if isinstance(kept, dict) else {}
        # metadata is the user's file: what does not fit is not taken
        known: dict[str, Any] = {k: v for k, v in kept.items() if k in cls.__dataclass_fields__ and isinstance(v, int)}
        return cls(**known)

    def as_dict(self) -> dict[str, int | bool]:
        """What there is to say, as plain JSON values; empty for a file as it should be."""
        defaults = asdict(ReadingNotes(found=self.found if self.claimed < 0 else 0))
        return {key: value for key, value in asdict(self).items() if value != defaults[key]}

    def sentences(self) -> list[str]:
        """One line for each kind of thing."""
        first = f"the first one in line {self.first_bad_utf8} (in a binary file: of that number)"
        told = [
            (self.claimed >= 0, f"The header claims {self.claimed} words, the file holds {self.found}: all were read."),
            (self.words_with_spaces, "{} words have spaces in them: the last fields of a line were read as numbers."),
            (self.unicode_spaces, "{} words have Unicode spaces in them (such as U+00A0), which were kept."),
            (self.duplicates, "{} words stood there before: the first vector of each was kept."),
            (self.bad_utf8, f"{{}} words are not UTF-8 and were left out, {first}."),
            (self.empty_words, "{} vectors have no word and were left out."),
            (self.zero_vectors, "{} words have a zero vector: they count as not in the table."),
            (self.tabs, "{} lines have tabs between fields, which were taken as spaces."),
            (self.carriage_returns, "{} lines end in CR LF, as Windows writes them."),
            (self.trailing_spaces, "{} lines have spaces at their end, which count for nothing."),
            (self.byte_order_mark, "The file begins with a byte order mark, which was skipped."),
            (self.trailing_bytes, "{} bytes follow the last word that the header claims: they were not read."),
        ]
        return [sentence.format(count) for count, sentence in told if count]
