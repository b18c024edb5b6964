"""Damaged, foreign and hostile model files: each is told, none is followed, none does harm."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest

from nnlang.codes import files as file_codes
from nnlang.codes import model as codes
from nnlang.diagnostics import DATA, Code, Stop
from nnlang.runtime import container
from nnlang.runtime.model import load, save
from tests import networks
from tests.models import failure, random_model, same, told, write_dsstne


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "gl.nc"
    save(random_model(networks.three_hidden()), path)
    return path


def text_file(path: Path) -> None:
    path.write_text('{ "Version": 0.7 }')


def classic_file(path: Path) -> None:
    netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC").close()


def binary_file(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def hdf5_file(path: Path) -> None:
    h5py.File(path, "w").close()


def stub(path: Path) -> None:
    path.write_bytes(container.SIGNATURE)


NOT_MODELS: dict[str, tuple[Callable[[Path], Any], Code, str]] = {
    "text": (text_file, codes.NOT_A_MODEL, "looks like text"),
    "classic": (classic_file, codes.NOT_A_MODEL, "classic"),
    "binary": (binary_file, codes.NOT_A_MODEL, "no NetCDF-4"),
    "other HDF5": (hdf5_file, codes.NOT_A_MODEL, "`layers`"),
    "signature alone": (stub, codes.MODEL_DAMAGED, "damaged"),
    "empty": (Path.touch, file_codes.EMPTY_FILE, "empty"),
    "folder": (Path.mkdir, file_codes.IS_A_FOLDER, "folder"),
    "nothing": (str, file_codes.NO_SUCH_FILE, "no file"),
}


@pytest.mark.parametrize("case", NOT_MODELS)
def test_what_is_no_model_is_told(case: str, tmp_path: Path) -> None:
    make, code, words = NOT_MODELS[case]
    make(tmp_path / "gl.nc")
    told(failure(tmp_path / "gl.nc"), code, words)


def soft_link(file: h5py.File, name: str) -> None:
    file[name] = h5py.SoftLink("/weight0_bias")


def external_link(file: h5py.File, name: str) -> None:
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def external_storage(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (40,), "f4", external=[("/etc/passwd", 0, 160)])


def virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout((40,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (40,))
    file.create_virtual_dataset(name, layout)


def foreign_filter(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data=np.zeros(40, "f4"), compression="lzf")


def unwritten(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (40,), "f4")


def of_objects(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data=["a"] * 40)


def group(file: h5py.File, name: str) -> None:
    file.create_group(name)


FOREIGN: dict[str, tuple[Callable[[h5py.File, str], Any], Code]] = {
    "soft link": (soft_link, codes.MODEL_UNSAFE),
    "external link": (external_link, codes.MODEL_UNSAFE),
    "external storage": (external_storage, codes.MODEL_UNSAFE),
    "virtual": (virtual, codes.MODEL_UNSAFE),
    "foreign filter": (foreign_filter, codes.MODEL_UNSAFE),
    "unwritten": (unwritten, codes.MODEL_DAMAGED),
    "strings": (of_objects, codes.MODEL_DAMAGED),
    "group": (group, codes.MODEL_DAMAGED),
    "nothing": (lambda file, name: None, codes.MODEL_INCOMPLETE),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_nothing_outside_the_file_is_followed(case: str, saved: Path) -> None:
    make, code = FOREIGN[case]
    with h5py.File(saved, "r+") as file:
        del file["weight3_bias"]
        make(file, "weight3_bias")
    told(failure(saved), code, str(saved))


def test_a_group_elsewhere_is_not_followed(tmp_path: Path) -> None:
    write_dsstne(tmp_path / "gl.nc")
    with h5py.File(tmp_path / "gl.nc", "r+") as file:
        file["nnlang"] = h5py.SoftLink("/")
    told(failure(tmp_path / "gl.nc"), codes.MODEL_UNSAFE, "link")


def test_compressed_models_load(saved: Path) -> None:
    """As `nccopy -d` leaves them; a deflate bomb claims other sizes than the layers have."""
    model = load(saved)
    with h5py.File(saved, "r+") as file:
        values = file["weight0_weights"][:]
        del file["weight0_weights"]
        file.create_dataset("weight0_weights", data=values, compression="gzip", shuffle=True, fletcher32=True)
    assert same(load(saved), model)


@pytest.mark.parametrize(("format_", "code"), [("2.0", codes.MODEL_NEWER), ("soon", codes.MODEL_DAMAGED)])
def test_other_formats_are_refused(saved: Path, format_: str, code: Code) -> None:
    with h5py.File(saved, "r+") as file:
        file["nnlang"].attrs["format"] = format_
    told(failure(saved), code, "format")


def test_newer_minor_formats_are_read(saved: Path) -> None:
    model = load(saved)
    with h5py.File(saved, "r+") as file:
        file["nnlang"].attrs["format"] = "1.999"
        file["nnlang"]["news"] = np.ones(3)
    assert same(load(saved), model)


def test_changed_attributes_are_found(saved: Path) -> None:
    with h5py.File(saved, "r+") as file:
        file.attrs["layer3_pDropout"] = np.float32(0.75)
    told(failure(saved), codes.MODEL_DAMAGED, "layers[3].dropout")


def test_added_attributes_do_no_harm(saved: Path) -> None:
    model = load(saved)
    with h5py.File(saved, "r+") as file:
        file.attrs["history"] = ["nccopy", "ncks"]
    assert same(load(saved), model)


def flipped(path: Path, content: bytes, offset: int, bit: int) -> Stop | None:
    damaged = bytearray(content)
    damaged[offset] ^= 1 << bit
    path.write_bytes(damaged)
    return failure(path)


def test_every_flipped_bit_in_an_array_is_found(saved: Path) -> None:
    content = saved.read_bytes()
    with h5py.File(saved) as file:
        names = [*(n for n in file if n.endswith(("_weights", "_bias"))), *(f"nnlang/{n}" for n in file["nnlang"])]
        found = [(file[n].id.get_offset(), file[n].nbytes) for n in names if file[n].id.get_offset() is not None]
    assert len(found) >= 12
    rng = random.Random(0)
    for start, size in found:
        for offset in (0, size - 1, *(rng.randrange(size) for _ in range(8))):
            told(flipped(saved, content, start + offset, rng.randrange(8)), codes.MODEL_DAMAGED, "SHA-256")


@pytest.mark.parametrize("count", [120, pytest.param(3_000, marks=pytest.mark.full)])
def test_a_flipped_bit_anywhere_does_no_harm(saved: Path, count: int) -> None:
    """Either it is told, or it is in a byte that means nothing: the model is the same."""
    model, content = load(saved), saved.read_bytes()
    rng = random.Random(1)
    for _ in range(count):
        if flipped(saved, content, rng.randrange(len(content)), rng.randrange(8)) is None:
            assert same(load(saved), model)


@pytest.mark.parametrize("count", [60, pytest.param(2_000, marks=pytest.mark.full)])
def test_a_shortened_file_is_told(saved: Path, count: int) -> None:
    content = saved.read_bytes()
    rng = random.Random(2)
    for length in {*range(0, 24, 3), len(content) - 1, *(rng.randrange(len(content)) for _ in range(count))}:
        saved.write_bytes(content[:length])
        found = failure(saved)
        assert found is not None, length
        assert found.exit_code == DATA
