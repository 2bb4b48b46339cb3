"""Text of strangers, such as names of columns, files and classes, before it reaches a terminal, a page or a file."""

from __future__ import annotations

import re

# control characters except tab and new line, surrogates (bytes that are not UTF-8), marks that reverse the direction
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Return text in which every character that a terminal would obey, or that UTF-8 does not know, is written out.

    Args:
        text: any.

    >>> plain("size\x1b[31m \udce9")
    'size\\x1b[31m \\xe9'
    """
    return _UNPRINTABLE.sub(_written_out, text)


def one_line(text: str) -> str:
    r"""Return text as one plain line.

    Args:
        text: any.

    >>> one_line("not a number: 1 \n 2")
    'not a number: 1 2'
    """
    return plain(" ".join(text.split()))


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
