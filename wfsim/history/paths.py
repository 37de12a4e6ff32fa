"""Paths of root states as numbers: a trie gives exact identity, a chained hash gives the stored name."""

from __future__ import annotations

import hashlib

from wfsim.errors import HistoryError

EMPTY = 0


class Paths:
    """Every sequence of root states seen, as a trie; node 0 is the empty path.

    The stored `path_hash` of a path is the first 64 bits of BLAKE2b over the hash of its prefix and the name
    of its last state, so it is a function of names alone. Two different paths with one hash are noticed
    here, since the trie itself compares names.
    """

    def __init__(self) -> None:
        self._children: dict[tuple[int, str], int] = {}
        self._parents = [EMPTY]
        self._states = [""]
        self.hashes = [0]
        self._by_hash = {0: EMPTY}

    def __len__(self) -> int:
        return len(self.hashes)

    def extend(self, path: int, state: str) -> int:
        """The path one state longer.

        Raises
        ------
        HistoryError
            If its hash is that of another path (one in 2**64 pairs).
        """
        child = self._children.get((path, state))
        if child is None:
            child = self._children[path, state] = len(self.hashes)
            self._parents.append(path)
            self._states.append(state)
            code = hash_of(self.hashes[path], state)
            if code in self._by_hash:
                raise HistoryError(
                    f"two paths share the hash {code}: {' → '.join(self.states(child))} and "
                    f"{' → '.join(self.states(self._by_hash[code]))}. Rename one of these states."
                )
            self._by_hash[code] = child
            self.hashes.append(code)
        return child

    def states(self, path: int) -> list[str]:
        """The states of a path, first first."""
        found = []
        while path != EMPTY:
            found.append(self._states[path])
            path = self._parents[path]
        return found[::-1]


def hash_of(prefix: int, state: str) -> int:
    """Hash of a path from that of its prefix (0 for the empty one) and its last state."""
    text = prefix.to_bytes(8, "little") + state.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
