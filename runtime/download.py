"""Public collections fetched with care: resumed where a download broke off, checked by the publisher's checksum."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.runtime.files import atomic_text, atomic_write, existing_file, file_digest

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)

_BLOCK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_HEADER = b"userId,movieId,rating,timestamp"


@dataclass(frozen=True)
class Collection:
    """A public collection: a zip with one table that is wanted, its checksum, and what its licence asks."""

    name: str
    url: str
    checksum: str  # address of the MD5
    member: str
    about: str
    terms: str  # address


COLLECTIONS = {
    "ml-20m": Collection(
        "ml-20m",
        "https://files.grouplens.org/datasets/movielens/ml-20m.zip",
        "https://files.grouplens.org/datasets/movielens/ml-20m.zip.md5",
        "ml-20m/ratings.csv",
        "MovieLens 20M: 20,000,263 ratings of 26,744 films by 138,493 people; GroupLens, University of Minnesota.\n"
        "Its terms: for research; name the source (Harper, Konstan: The MovieLens Datasets, ACM TiiS 5(4), 2015);\n"
        "no commercial use without permission; passed on under the same terms only; no endorsement may be claimed.",
        "https://files.grouplens.org/datasets/movielens/ml-20m-README.html",
    )
}


def collection(name: str) -> Collection:
    """The collection of that name; raises `Stop` (NN493) for another."""
    if name not in COLLECTIONS:
        raise stop(codes.UNKNOWN_COLLECTION, name=name, known=", ".join(COLLECTIONS))
    return COLLECTIONS[name]


def get(wanted: Collection, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download a collection into `folder` and return the path of its table there.

    A zip that is there and whole is not fetched again; one that broke off (`.part`) is continued. The MD5 is compared
    with the publisher's, the SHA-256 of the zip is kept beside it, so that later runs need no network.
    """
    _make_folder(folder)
    target = folder / wanted.url.rsplit("/", 1)[-1]
    if not _known(target):
        published = _MD5.search(_text(wanted, wanted.checksum))
        if published is None:
            raise _no_network(wanted, wanted.checksum, "there is no checksum in what it answers")
        _fetch(wanted, target, published[0].lower(), progress)
    return extract(target, wanted, folder)


def take(source: Path, wanted: Collection, folder: Path) -> Path:
    """The table out of a zip or a table that is already on the disk, put into `folder`."""
    existing_file(source)
    if zipfile.is_zipfile(source):
        _make_folder(folder)
        return extract(source, wanted, folder)
    with source.open("rb") as stream:
        if stream.readline(200).rstrip(b"\r\n") != _HEADER:
            raise _archive(source, f"it is neither a zip nor a table that begins with {_HEADER.decode()}")
    _make_folder(folder)
    target = folder / Path(wanted.member).name
    if not (target.exists() and target.samefile(source)):
        with source.open("rb") as stream:
            atomic_write(target, _copier(stream), needed=source.stat().st_size)
    return target


def extract(archive: Path, wanted: Collection, folder: Path) -> Path:
    """Put the one wanted member of a zip into `folder`; no other member is touched, no path of the zip is used."""
    target = folder / Path(wanted.member).name
    try:
        with zipfile.ZipFile(archive) as content:
            member = content.getinfo(wanted.member)
            if target.exists() and target.stat().st_size == member.file_size:
                return target
            with content.open(member) as stream:
                atomic_write(target, _copier(stream), needed=member.file_size)
    except KeyError:
        raise _archive(archive, f"it holds no `{wanted.member}`") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _archive(archive, f"the zip is damaged ({error})") from error
    return target


def _copier(stream: IO[bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, _BLOCK)

    return write


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise stop(
            file_codes.NOT_WRITABLE, Place(str(folder)), path=folder, reason=error.strerror or str(error)
        ) from error


def _known(target: Path) -> bool:
    """Whether the zip is there and is what was checked before."""
    note = _note(target)
    if not (target.is_file() and note.is_file()):
        return False
    return note.read_text(errors="replace").split(" ")[0] == file_digest(target)


def _note(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _fetch(wanted: Collection, target: Path, published: str, progress: Progress) -> None:
    part = target.with_name(target.name + ".part")
    _complete(wanted, part, progress)
    found = _md5(part)
    if found != published:
        part.unlink()
        raise stop(codes.BAD_CHECKSUM, Place(str(part)), path=part, found=found, wanted=published)
    os.replace(part, target)
    atomic_text(_note(target), [f"{file_digest(target)}  {target.name}\n"])


def _complete(wanted: Collection, part: Path, progress: Progress) -> None:
    """Fetch what is missing of `part`."""
    have = part.stat().st_size if part.exists() else 0
    request = Request(wanted.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urlopen(request, timeout=_TIMEOUT) as answer:
            begins = _RANGE.match(answer.headers.get("Content-Range", ""))
            resumed = answer.status == 206 and begins is not None and int(begins[1]) == have
            size = int(answer.headers.get("Content-Length") or 0)
            _append(answer, part, have if resumed else 0, size, progress)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            return  # nothing is missing; the checksum tells whether it is right
        raise _no_network(wanted, wanted.url, error) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _no_network(wanted, wanted.url, error) from error


def _append(answer: IO[bytes], part: Path, have: int, size: int, progress: Progress) -> None:
    total = have + size if size else 0
    with _opened(part, have) as out:
        done = have
        while block := answer.read(_BLOCK):
            _put(out, part, block, total)
            done += len(block)
            progress(done, total)
    if total and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def _opened(part: Path, have: int) -> IO[bytes]:
    try:
        return part.open("ab" if have else "wb")
    except OSError as error:
        raise stop(file_codes.NOT_WRITABLE, Place(str(part)), path=part, reason=error.strerror) from error


def _put(out: IO[bytes], part: Path, block: bytes, total: int) -> None:
    try:
        out.write(block)
    except OSError as error:
        free = shutil.disk_usage(part.parent).free
        facts = {"path": part, "reason": error.strerror, "needed": f"{total} bytes", "free": f"{free} bytes"}
        raise Stop(*stop(file_codes.DISK_FULL, Place(str(part)), **facts).diagnostics) from error  # type: ignore[arg-type]


def _text(wanted: Collection, url: str) -> str:
    try:
        with urlopen(url, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read(4096)
            return content.decode("ascii", "replace")
    except (OSError, HTTPException, ValueError) as error:
        raise _no_network(wanted, url, error) from error


def _no_network(wanted: Collection, url: str, reason: object) -> Stop:
    if isinstance(reason, HTTPError):
        reason.close()
        reason = f"it answers {reason.code} {reason.reason}"
    name = wanted.url.rsplit("/", 1)[-1]
    remedy = (
        f"run the command again, it continues where it stopped; or fetch {wanted.url} on another machine and run "
        f"`nnlang data get {wanted.name} --from {name}`"
    )
    return stop(codes.NO_NETWORK, url=url, reason=getattr(reason, "reason", reason), remedy=remedy)


def _archive(path: Path, reason: str) -> Stop:
    return stop(codes.BAD_ARCHIVE, Place(str(path)), path=path, reason=reason)


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
