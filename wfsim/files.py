"""The one door through which files come in: regular ones, of bounded size, below the folder they belong to.

And how they get to the disk, and the place of those that may go at any time.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnfitFile(OSError):
    """A file that is not read, whatever it holds; `strerror` says why in half a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(None, reason)
        self.strerror = reason


def read_file(path: str | os.PathLike[str], largest: int) -> bytes:
    """The bytes of a regular file of at most `largest` bytes.

    Devices, pipes and sockets are not opened for reading: they may never end, or wait for ever. What a file says of its
    size is not believed (in /proc it is 0).

    Raises
    ------
    UnfitFile
        If it is no regular file, or larger.
    OSError
        If it cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe that nobody writes to waits.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise UnfitFile("it is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise UnfitFile("it is a device or a pipe, not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            raw = stream.read(largest + 1)
    finally:
        os.close(handle)
    if len(raw) > largest:
        raise UnfitFile(f"it has more than {largest:,} bytes")
    return raw


def sync(path: Path) -> None:
    """What was written to a file, or put into a folder, is on the disk when this returns."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def is_below(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, or below it, once symbolic links and `..` are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def cache_root() -> Path:
    """Where what can be made again is kept: `WFSIM_CACHE`, or the user's cache folder."""
    root = os.environ.get("WFSIM_CACHE")
    return Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wfsim"
