"""Open a text file of any compression and encoding."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line

HEAD_BYTES = 1 << 20
"""How much of a file is looked at to find its encoding and its layout."""

_MAGIC = {
    b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip",
}  # fmt: skip
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_ENCODINGS = ["cp1251", "shift_jis", "gb18030", "big5", "euc_kr", "koi8_r", "cp1253", "cp1252"]
_OTHER_SCRIPTS = 0.4  # share of letters that are not ASCII, above which a text is not in Latin script


class Text(NamedTuple):
    """A text file as it lies on disk.

    Attributes:
        path: of the file.
        encoding: of the text.
        head: its beginning, up to `HEAD_BYTES`, without a last line that is cut off.
        whole: whether `head` is the whole text.
        notes: for the user.
    """

    path: Path
    encoding: str
    head: str
    whole: bool
    notes: tuple[str, ...] = ()

    def open(self) -> IO[str]:
        """Return the text as a stream; line ends are kept as they are."""
        return io.TextIOWrapper(open_bytes(self.path), encoding=self.encoding, newline="")


def open_bytes(path: Path) -> IO[bytes]:
    """Return the contents of a file, decompressed where its first bytes say that it is compressed.

    Args:
        path: a plain file, `.gz`, `.bz2`, `.xz`, `.zst`, or a `.zip` with one member.

    Raises:
        ArgumentError: an archive holds several files, or none.
    """
    kind = _compression_of(path)
    if kind == "gzip":
        return cast(IO[bytes], gzip.open(path))
    if kind == "bz2":
        return bz2.open(path)
    if kind == "xz":
        return lzma.open(path)
    if kind == "zstd":
        stream_of_zstd: IO[bytes] = require("pyarrow", extra="hub").input_stream(str(path), compression="zstd")
        return stream_of_zstd
    return path.open("rb") if kind is None else _only_member(path)


def is_plain(path: Path) -> bool:
    """Return whether a file is not compressed."""
    return _compression_of(path) is None


def _compression_of(path: Path) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(6)
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


def members_of(path: Path) -> list[str]:
    """Return the names of the files in a zip archive, without hidden ones and those of macOS.

    Args:
        path: of the archive.

    Raises:
        ArgumentError: it is not a zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except zipfile.BadZipFile as error:
        raise ArgumentError(f"{path}: cannot be read as a zip archive: {first_line(error)}") from None
    parts = {name: PurePosixPath(name).parts for name in names}
    return [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in parts[name])]


def _only_member(path: Path) -> IO[bytes]:
    names = members_of(path)
    if len(names) != 1:
        some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise ArgumentError(
            f"{path}: a zip archive must hold one table, got {len(names)} files{f' ({some})' if names else ''}; "
            "unpack it and give one of them"
        )
    archive = zipfile.ZipFile(path)
    if archive.getinfo(names[0]).flag_bits & 1:
        raise ArgumentError(f"{path}: the archive is encrypted; unpack it first")
    return archive.open(names[0])


def read_text(path: Path) -> Text:
    """Find the encoding of a text file, and read its beginning.

    Args:
        path: of the file, which may be compressed.

    Raises:
        ArgumentError: it cannot be read, is empty, or is not text.
    """
    try:
        with open_bytes(path) as stream:
            start = stream.read(HEAD_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ArgumentError(f"{path}: cannot be read: {first_line(error)}") from None
    whole = len(start) <= HEAD_BYTES
    encoding, notes = _encoding_of(path, start[:HEAD_BYTES])
    return _as_text(path, start[:HEAD_BYTES], encoding, whole, notes)


def read_text_again(text: Text) -> Text:
    """Find another encoding for a text whose beginning was taken for UTF-8, but a later part is not.

    Args:
        text: from `read_text`.

    Raises:
        ArgumentError: no encoding fits.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(text.path) as stream:
        while part := stream.read(HEAD_BYTES):
            try:
                decoder.decode(part)
            except UnicodeDecodeError as error:
                around = error.object[max(0, error.start - 2000) : error.start + 2000]
                encoding, notes = _encoding_of(text.path, around)
                return text._replace(encoding=encoding, notes=tuple(notes))
    return text


def _as_text(path: Path, start: bytes, encoding: str, whole: bool, notes: list[str]) -> Text:
    head = codecs.getincrementaldecoder(encoding)("replace").decode(start)
    if not whole:
        end = max(head.rfind("\n"), head.rfind("\r"))
        if end < 0:
            raise ArgumentError(f"{path}: no line ends within the first {HEAD_BYTES:,} bytes: this is not a table")
        head = head[: end + 1]
    if not head.strip():
        raise ArgumentError(f"{path}: the file is empty")
    return Text(path, encoding, head, whole, tuple(notes))


def _encoding_of(path: Path, start: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding, []
    zeros = [start[side:2000:2].count(0) for side in (0, 1)]
    if max(zeros) > 0.6 * len(start[:2000:2]) and min(zeros) < 0.1 * max(zeros):
        return ("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"), []
    if b"\x00" in start:
        raise ArgumentError(f"{path}: this is not a text file (it holds zero bytes)")
    if _decodes(start, "utf-8"):
        return "utf-8", []
    encoding = _not_unicode(start[: 1 << 16])
    return encoding, [f"the text is not UTF-8 and was read as {encoding}: look at the names and classes"]


def _not_unicode(start: bytes) -> str:
    """Return the encoding of a text that is not Unicode: that of Western Europe unless most letters are others."""
    letters = sum(byte > 127 or chr(byte).isalpha() for byte in start)
    if sum(byte > 127 for byte in start) < _OTHER_SCRIPTS * letters and _decodes(start, "cp1252"):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(start, cp_isolation=_ENCODINGS).best()
    if best is not None:
        return str(best.encoding)
    return next((encoding for encoding in _ENCODINGS if _decodes(start, encoding)), "latin-1")


def _decodes(start: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return False
    return True
