"""Which characters people may write: every script, but nothing that is invisible and changes what stands around it."""

import unicodedata

_LINE_BREAKS = frozenset("\n\r\t")
# Marks that turn the direction of writing for all that follows: with one of them a name rewrites the barista's ticket.
# The directional marks that Arabic and Hebrew need (U+200E, U+200F, U+061C) affect only their neighbours and are fine.
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_NEVER = frozenset({"Cc", "Cs", "Zl", "Zp"})


def problem_of(text: str, *, lines: bool = False) -> str | None:
    """A sentence about the first character that has no place in a text, or None.

    `lines` allows line breaks, as in a note.
    """
    for letter in text:
        if lines and letter in _LINE_BREAKS:
            continue
        if unicodedata.category(letter) in _NEVER or unicodedata.bidirectional(letter) in _TURNS:
            where = "" if lines else " and line breaks"
            return (
                f"Please leave out control characters{where}, also those that turn the direction of writing: "
                f"there is one here (U+{ord(letter):04X})."
            )
    return None


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: spaces and characters without a shape."""
    return all(letter.isspace() or unicodedata.category(letter) == "Cf" for letter in text)
