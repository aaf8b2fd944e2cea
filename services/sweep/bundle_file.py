"""What a worker needs that it may not have: the data, and the strategy's own files; with digests that name them."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.feed.recording_file import replayable
from services.file_names import CONFIG, JOURNAL
from services.sweep.errors import SweepError

DATA, CODE = "data", "code"
_OF_A_RUN = (CONFIG, JOURNAL, "events.jsonl", "events.jsonl.gz")
_PACKAGES = ("bus", "services")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files as bytes.

    Attributes:
        data: path below `data/` to content, in the order of the command line; one directory for each word of it.
        code: path below `code/` to content: the modules in the working directory that the strategy is made of.
        is_run: the data are one recorded run.
        program: digest of this program, which a worker's must equal.
    """

    data: dict[str, bytes]
    code: dict[str, bytes]
    is_run: bool
    program: str

    @property
    def digest(self) -> str:
        """A name for it."""
        parts = (f"{kind}/{name} {digest_of(content)}" for kind, name, content in self._files())
        return digest_of("\n".join((self.program, *parts)).encode())

    @property
    def data_digests(self) -> dict[str, str]:
        """Name and digest of every data file."""
        return {name: digest_of(content) for name, content in self.data.items()}

    @property
    def code_digest(self) -> str:
        """A name for the strategy's files; empty without any."""
        parts = [f"{name} {digest_of(content)}" for name, content in sorted(self.code.items())]
        return digest_of("\n".join(parts).encode()) if parts else ""

    def unpack(self, directory: Path) -> list[Path]:
        """Write the files below a directory; return what is to be replayed.

        Raises:
            OSError: it can not be written.
        """
        (directory / CODE).mkdir(parents=True, exist_ok=True)
        for kind, name, content in self._files():
            path = directory / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if self.is_run:
            return [directory / DATA / "0"]
        return [directory / DATA / name for name in self.data]

    def _files(self) -> Iterable[tuple[str, str, bytes]]:
        yield from ((DATA, name, content) for name, content in self.data.items())
        yield from ((CODE, name, content) for name, content in self.code.items())


def bundle_of(paths: Sequence[Path], directory: Path) -> Bundle:
    """Gather what a sweep needs; the strategy has been imported.

    Args:
        paths: data files, or one recorded run's directory.
        directory: the working directory, where a strategy of one's own is.

    Raises:
        SweepError: a file can not be read.
    """
    is_run = len(paths) == 1 and replayable(paths[0])
    try:
        if is_run:
            run_dir = paths[0] if paths[0].is_dir() else paths[0].parent
            data = {f"0/{name}": (run_dir / name).read_bytes() for name in _OF_A_RUN if (run_dir / name).exists()}
        else:
            data = {f"{place}/{path.name}": path.read_bytes() for place, path in enumerate(paths)}
        return Bundle(data, _code(directory), is_run, program_digest())
    except OSError as error:
        raise SweepError(f"{error.filename} can not be read: {error.strerror}") from None


def program_digest() -> str:
    """Digest of the program's own source: results of one program are not to be mixed with another's."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def digest_of(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _code(directory: Path) -> dict[str, bytes]:
    """The modules that were imported out of a directory, but not of what is installed or begun below it."""
    root = directory.resolve()
    ours = Path(__file__).resolve().parents[2]
    found = {}
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        path = Path(name).resolve() if name else None
        if path is None or path.suffix != ".py" or not path.is_relative_to(root):
            continue
        if path.is_relative_to(Path(sys.prefix).resolve()) or any(
            path.is_relative_to(ours / package) for package in _PACKAGES
        ):
            continue
        found[path.relative_to(root).as_posix()] = path.read_bytes()
    return dict(sorted(found.items()))
