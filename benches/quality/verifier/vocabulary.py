"""Which word pieces the shipped model keeps, so that it fits the wheel."""

from __future__ import annotations

from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def _is_kept(piece: str) -> bool:
    """Latin and Greek letters, digits and signs: what an English question is written in."""
    body = piece.removeprefix("##")
    return not piece.startswith("[") and all(
        ord(sign) < 0x250 or 0x370 <= ord(sign) < 0x400 or 0x2000 <= ord(sign) < 0x2300 for sign in body
    )


def kept(words: Any, texts: list[str], most: int) -> tuple[list[int], list[str]]:
    """Ids and pieces, the special ones first, then single signs, then all that the texts use, then the most frequent.

    The ids of BERT's pieces stand in the order of their frequency in its corpus. A word whose piece is dropped is still
    read, in smaller pieces.
    """
    pieces = {number: piece for piece, number in words.get_vocab().items()}
    seen = {number for found in words.encode_batch(texts, add_special_tokens=False) for number in found.ids}
    usable = [number for number in sorted(pieces) if _is_kept(pieces[number])]
    single = [number for number in usable if len(pieces[number].removeprefix("##")) == 1]
    chosen = dict.fromkeys(single + [number for number in usable if number in seen])
    for number in usable:
        if len(chosen) >= most - len(SPECIAL):
            break
        chosen[number] = None
    numbers = [words.token_to_id(piece) for piece in SPECIAL] + sorted(chosen)
    return numbers, [pieces[number] for number in numbers]
