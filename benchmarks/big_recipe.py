"""What is in the big repository: decided first, from one seed, then written for `git fast-import`.

Each file's versions are written in one go, the newest first: that is git's own order, and gives the deltas which a
repack of half an hour would find.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RECIPE = 1  # one more with every change of what is made here
SEED = 20_201_123
COMMITS, FILES, DIRECTORIES, PULLS, BRANCHES, TAGS = 50_400, 7_200, 1_040, 10_000, 350, 400
DEPTH = 12  # of deltas
RELEASES = {"release-3": 230, "release-2": 280, "release-1": 340}  # how many commits before main's tip each forked
OWN_COMMITS = 25  # of a release branch
BUSY = 200  # how long before the tip the files that will be picked are changed at their top
PICKS = {"A2": (2, 120), "C22": (22, 60)}  # name: files it touches, how many commits before the tip
CROWD = {"A2": 150}  # name: how many files are in the directories that it touches, as in the original's `app`
PULL_EVERY = 5  # commits; each of these is the squash merge of a pull request
IMAGES, IMAGE_BYTES, IMAGE_SLOTS, IMAGE_EVERY = 4_700, 36_000, 60, 10
IMAGES_GONE = 2_000  # how long before the tip the last image went
MEDIAN_LINES, LEAST_LINES, MOST_LINES = 195, 40, 3_000
PICKED_LINES = range(100, 300)  # what is picked is of ordinary size
POOL = 60_000  # lines that files are made of
START, SECONDS = 1_300_000_000, 5_000  # when the first commit was made, and from each to the next
ENDINGS = (".go", "_test.go", ".ts", ".tsx", ".json", ".md")
IDIOMS = (
    "\tif err != nil {", "\t\treturn nil, err", "\t}", "}", "", "\t\treturn", "\tdefer th.TearDown()",
    "\t\tt.Parallel()", "\trequire.NoError(t, err)", "\trequire.NotNil(t, result)",
    "\t\tc.Err = model.NewAppError(where, id, nil, err.Error(), http.StatusInternalServerError)",
)  # fmt: skip
SHAPES = (
    "\t{} := {}.{}({}, {})", "func ({} *{}) {}({} string) error {{", "\t\t{}.{} = {}.{}", "\t// {} {} {} {} {} {}",
    '\t\t"{}.{}.{}": "{} {} {} {}",', "\tfor _, {} := range {}.{} {{", "\t\tassert.Equal(t, {}.{}, {})",
)  # fmt: skip
SYLLABLES = (
    "ad ba cor de el fi gra ho in jo ka lo mi nor or pe qua re so ta ul ve wi xe yo zu chan post team us".split()
)


@dataclass(eq=False)
class File:
    """A file and its life: where each change was made (0 top, 1 bottom), and the mark of its first version."""

    path: str
    lines: int = 0  # at first
    changes: list[float] = field(default_factory=list)
    first: int = 0

    @property
    def directory(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass
class Recipe:
    """The files, and which of them each commit on main brings to which version."""

    dice: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  # a seed is no secret
    born: int = 0
    alive: set[File] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.words = [
            "".join(self.dice.choices(SYLLABLES, k=self.dice.choice((1, 2, 2, 3, 3, 4)))) for _ in range(2_500)
        ]
        self.lines = [self._line() for _ in range(POOL)]
        self.files = [File(path, self._length()) for path in self._paths()]
        self.beside: dict[str, list[File]] = {}
        for file in self.files:
            self.beside.setdefault(file.directory, []).append(file)
        self.picked = self._reserve()
        self.reserved = {file for files in self.picked.values() for file in files}
        self.commits = [list(self._touches(number)) for number in range(COMMITS)]

    def _line(self) -> bytes:
        """Make a line like code: idioms that are everywhere, or some words, short lists of them far more often."""
        if self.dice.random() < 0.45:
            return self.dice.choice(IDIOMS).encode()
        words = (self.words[int(len(self.words) * self.dice.random() ** 4)] for _ in range(8))
        return self.dice.choice(SHAPES).format(*words).encode()

    def _length(self) -> int:
        return max(LEAST_LINES, min(MOST_LINES, int(MEDIAN_LINES * self.dice.lognormvariate(0, 1.0))))

    def _paths(self) -> list[str]:
        """Return the files' paths: each directory has one at least, and few have hundreds."""
        directories = self._directories()
        weights = [min(self.dice.paretovariate(0.8), 400) for _ in directories]
        paths = {f"{home}{self._name()}" for home in directories}
        while len(paths) < FILES:
            paths.add(f"{self.dice.choices(directories, weights)[0]}{self._name()}")
        shuffled = sorted(paths)
        self.dice.shuffle(shuffled)
        return shuffled

    def _directories(self) -> list[str]:
        """Return directories, up to five deep, each ending in a slash; the root is one of them."""
        made = [""]
        while len(made) <= DIRECTORIES:
            parent = "" if len(made) < 40 else self.dice.choice(made)
            child = f"{parent}{'-'.join(self.dice.sample(self.words, self.dice.choice((1, 1, 2))))}/"
            if child.count("/") <= 5 and child not in made:
                made.append(child)
        return made

    def _name(self) -> str:
        return "_".join(self.dice.sample(self.words, self.dice.choice((1, 2, 2, 3)))) + self.dice.choice(ENDINGS)

    def _reserve(self) -> dict[str, list[File]]:
        """Choose what the picks will change, from files that are there early."""
        chosen: dict[str, list[File]] = {}
        ordinary = [file for file in self.files[: FILES // 4] if file.lines in PICKED_LINES]
        for name, (count, _) in PICKS.items():
            taken = [file for files in chosen.values() for file in files]
            fit = (file for file in ordinary if len(self.beside[file.directory]) >= CROWD.get(name, 0))
            chosen[name] = self.dice.sample([file for file in fit if file not in taken], count)
        return chosen

    def _touches(self, number: int) -> Iterator[tuple[File, int]]:
        """Decide what commit `number` does: (file, version)."""
        born = min(FILES, FILES // 4 + int(number * FILES / COMMITS * 0.8))
        yield from ((file, 0) for file in self.files[self.born : born])
        self.alive.update(self.files[self.born : born])
        self.born = born
        for file, where in self._changes(number, COMMITS - 1 - number):
            file.changes.append(where)
            yield file, len(file.changes)

    def _changes(self, number: int, before_tip: int) -> list[tuple[File, float]]:
        """Choose where files change: at the top those that a pick changes at the bottom, so that it has to merge."""
        for name, (_, when) in PICKS.items():
            if when == before_tip:
                return [(file, 1.0) for file in self.picked[name]]
        if before_tip == BUSY:
            return [(file, 0.0) for files in self.picked.values() for file in files]
        return [(file, self.dice.random()) for file in self._any(number, before_tip)]

    def _any(self, number: int, before_tip: int) -> list[File]:
        """Choose the files of an ordinary commit: an old one more often, and others of its directory."""
        count = self.dice.choices((1, 2, 3, 5, 9), (35, 25, 18, 14, 8))[0] if number else 0
        chosen = [self.files[int(self.born * self.dice.random() ** 1.6)] for _ in range(min(count, 2))]
        there = [file for one in chosen[-1:] for file in self.beside[one.directory] if file in self.alive]
        chosen += self.dice.sample(there, min(len(there), count - len(chosen)))
        taken = self.reserved if before_tip <= max(RELEASES.values()) else set()
        return [file for file in dict.fromkeys(chosen) if file not in taken]


@dataclass
class Writer:
    """Writes a stream for fast-import: https://git-scm.com/docs/git-fast-import."""

    stream: IO[bytes]
    recipe: Recipe
    mark: int = 0

    def write(self) -> None:
        self.dice = self.recipe.dice
        self.stream.write(b"feature done\n")
        for file in self.recipe.files:
            self._file(file)
        images = [self._blob(self.dice.randbytes(self.dice.randint(1, 2 * IMAGE_BYTES))) for _ in range(IMAGES)]
        self._branches(self._main(images))
        self.stream.write(b"done\n")

    def _file(self, file: File) -> None:
        """Write the newest first, after a blob so short that the newest is not made a delta of another file's."""
        self._blob(b"%d\n" % self.mark)
        versions = list(self._versions(file))
        file.first = self.mark + 1
        for number, content in reversed(list(enumerate(versions))):
            self._blob(content, file.first + number)
        self.mark += len(versions)

    def _versions(self, file: File) -> Iterator[bytes]:
        lines = self.dice.choices(self.recipe.lines, k=file.lines)
        yield b"\n".join(lines) + b"\n"
        for where in file.changes:
            at = int(where * (len(lines) - 10))
            lines[at : at + self.dice.randint(1, 7)] = self.dice.choices(self.recipe.lines, k=self.dice.randint(2, 9))
            yield b"\n".join(lines) + b"\n"

    def _blob(self, content: bytes, mark: int = 0) -> int:
        if not mark:
            self.mark = mark = self.mark + 1
        self.stream.write(b"blob\nmark :%d\ndata %d\n%s\n" % (mark, len(content), content))
        return mark

    def _main(self, images: Sequence[int]) -> list[int]:
        """Write main, every fifth commit after the pull request that it merges; return the commits' marks."""
        marks: list[int] = []
        for number, touches in enumerate(self.recipe.commits):
            changes = [f"M 100644 :{file.first + version} {file.path}" for file, version in touches]
            before_tip, subject = COMMITS - 1 - number, f"{self._words(6)} {number}"
            pull = PULLS - before_tip // PULL_EVERY
            if before_tip % PULL_EVERY == 0 and pull > 0:
                self._commit(f"refs/pull/{pull}/head", number, subject, changes, marks[-self.dice.randint(1, 4)])
                subject += f" (#{pull})"
            extra = self._image(number, before_tip, images)
            marks.append(self._commit("refs/heads/main", number, subject, [*changes, *extra]))
        return marks

    def _image(self, number: int, before_tip: int, images: Sequence[int]) -> Iterable[str]:
        image, turn = divmod(number, IMAGE_EVERY)
        if before_tip == IMAGES_GONE:
            return ["D pictures"]
        if turn or image >= len(images):
            return []
        return [f"M 100644 :{images[image]} pictures/{image % IMAGE_SLOTS}.png"]

    def _branches(self, main: Sequence[int]) -> None:
        """Write the releases, on each some older versions of files, and the other branches and tags."""
        changed = [file for file in self.recipe.files if file.changes and file not in self.recipe.reserved]
        for name, before_tip in RELEASES.items():
            parent = main[-1 - before_tip]
            for number in range(OWN_COMMITS):
                file = self.dice.choice(changed)
                changes = [f"M 100644 :{file.first} {file.path}"]
                when = COMMITS - before_tip + number
                parent = self._commit(f"refs/heads/{name}", when, f"Older {file.path}", changes, parent)
        names = [f"heads/{self._words(2, '-')}-{number}" for number in range(BRANCHES)]
        for name in names + [f"tags/v0.{number}.0" for number in range(TAGS)]:
            self.stream.write(f"reset refs/{name}\nfrom :{self.dice.choice(main)}\n\n".encode())

    def _commit(self, ref: str, number: int, subject: str, changes: Sequence[str], parent: int = 0) -> int:
        self.mark += 1
        who = f"Dev {number % 211} <dev{number % 211}@example.com> {START + number * SECONDS} +0000"
        message = f"{subject}\n\n{self._words(12)}\n{self._words(9)}\n"
        head = f"commit {ref}\nmark :{self.mark}\nauthor {who}\ncommitter {who}\ndata {len(message)}\n{message}"
        start = f"from :{parent}\n" if parent else ""
        done = "".join(f"{change}\n" for change in changes)
        self.stream.write(f"{head}{start}{done}\n".encode())
        return self.mark

    def _words(self, count: int, between: str = " ") -> str:
        return between.join(self.dice.choices(self.recipe.words, k=count))
