"""Which files of a folder DVC takes: what its rules and those in .dvcignore files leave out (dvc/ignore.py of DVC 3).

The rules are Git's, but for what DVC does of its own: a nested .dvcignore is rewritten as rules of the repository's
root, where a folder's name is itself read as a pattern, and a repository inside another one is left out.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from taxohash.errors import TaxohashError

IGNORE_FILE = ".dvcignore"
_REPOSITORY = ".dvc"
_ALWAYS = (".hg/", ".git/", ".git", f"{_REPOSITORY}/")


@dataclass(frozen=True)
class Rules:
    """The rules that hold in one folder of a repository, those of its root first.

    Attributes:
        root: of the repository, absolute.
        patterns: relative to the root, in the form of a .gitignore's lines.
    """

    root: str
    patterns: tuple[str, ...] = _ALWAYS

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Whether a path relative to the root is left out, by itself or with a folder above it."""
        parents = [path[:end] for end, letter in enumerate(path) if letter == "/"]
        return any(self._decides(parent, True) for parent in parents) or self._decides(path, is_folder)

    def taken(self, place: str, names: list[str], are_folders: bool) -> list[str]:
        """Those of the names in the folder at `place` that are not left out."""
        if self.ignores(place, True):
            return []
        return [name for name in names if not self._decides(f"{place}/{name}", are_folders)]

    def inside(self, folder: str, subfolders: list[str]) -> "Rules":
        """With those that a folder adds for what lies in it: its .dvcignore, and its subfolders with a repository.

        Raises:
            TaxohashError: the .dvcignore cannot be read.
        """
        place = os.path.relpath(folder, self.root)
        own: list[str] = []
        file = os.path.join(folder, IGNORE_FILE)
        if os.path.lexists(file) and not self.ignores(
            os.path.normpath(os.path.join(place, IGNORE_FILE)), False
        ):
            own += _lines(Path(file))
        own += [
            f"/{name}/" for name in subfolders if os.path.lexists(os.path.join(folder, name, _REPOSITORY))
        ]
        if place != os.curdir:
            own = [_moved(pattern, place) for pattern in own]
        return replace(self, patterns=self.patterns + tuple(own)) if own else self

    def _decides(self, path: str, is_folder: bool) -> bool:
        """Whether the last rule that matches leaves the path out; a folder is matched with and without a slash."""
        forms = (path, f"{path}/") if is_folder else (path,)
        for regex, ignored, folders_only in self._last_first:
            if (is_folder or not folders_only) and any(regex.match(form) for form in forms):
                return ignored
        return False

    @cached_property
    def _last_first(self) -> list[tuple[re.Pattern[str], bool, bool]]:
        """Of each pattern its expression, whether it ignores, and whether it is for folders only."""
        rules = []
        for pattern in reversed(self.patterns):
            try:
                regex, ignored = GitIgnoreSpecPattern.pattern_to_regex(pattern)
                if regex is not None and ignored is not None:
                    rules.append((re.compile(regex), ignored, pattern.endswith("/")))
            except (GitIgnorePatternError, re.error):
                raise TaxohashError(
                    f"rule {pattern!r} of a {IGNORE_FILE} is no pattern: correct it"
                ) from None
        return rules


def tracked_files(folder: Path) -> Iterator[Path]:
    """The files below a folder that `dvc add` takes, as absolute paths. Links to files are followed, to folders not.

    Outside a DVC repository, and where one leaves the folder out, only DVC's own rules and those inside it hold.

    Raises:
        TaxohashError: a folder or .dvcignore that cannot be read, or a .dvcignore among the files, which DVC refuses.
    """
    top = os.path.abspath(folder)
    rules = {os.path.dirname(top): _rules_above(top)}
    for here, subfolders, files in os.walk(top, onerror=_refuse):
        own = rules[here] = rules[os.path.dirname(here)].inside(here, subfolders)
        place = os.path.relpath(here, own.root)
        subfolders[:] = own.taken(place, subfolders, True)
        taken = own.taken(place, files, False)
        if IGNORE_FILE in taken:
            raise TaxohashError(
                f"{here}/{IGNORE_FILE} lies inside the data, where DVC takes none: put its rules into the one beside .dvc"
            )
        yield from (Path(here, name) for name in taken)


def _rules_above(top: str) -> Rules:
    """The rules with which a folder is entered."""
    above = os.path.dirname(top)
    if root := _repository(above):
        way = [above]
        while way[0] != root:
            way.insert(0, os.path.dirname(way[0]))
        rules = Rules(root)
        for folder in way:
            rules = rules.inside(folder, [])
        if not rules.ignores(os.path.relpath(top, root), True):
            return rules
    return Rules(above)


def _repository(folder: str) -> str | None:
    """The root of the DVC repository that a folder is in; sought up to the mount point, as DVC does."""
    while not os.path.isdir(os.path.join(folder, _REPOSITORY)):
        if os.path.ismount(folder):
            return None
        folder = os.path.dirname(folder)
    return folder


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as opened:
            lines = [line.strip() for line in opened]
    except (OSError, UnicodeDecodeError) as error:
        raise TaxohashError(f"{file} cannot be read ({error}): make it a text of rules in UTF-8") from None
    return [line for line in lines if line and not line.startswith("#")]


def _moved(rule: str, place: str) -> str:
    """A rule of the folder at `place` as one of the root, rewritten just as DVC does it (dvc/pathspec_math.py)."""
    sign, rule = ("!", rule[1:]) if rule.startswith("!") else ("", rule)
    anchored = "/" in rule[:-1] and not rule.startswith("**/")
    rule = rule.removeprefix("/") if anchored else rule.removeprefix("**/")
    rule = rule.removeprefix("\\")
    return f"{sign}/{place}/{'' if anchored else '**/'}{rule}".removeprefix("/")


def _refuse(error: OSError) -> None:
    raise TaxohashError(
        f"{error.filename} cannot be read ({error.strerror}): make it a folder that can be"
    ) from None
