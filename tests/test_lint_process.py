"""`nnlang lint` as a process: pipes, signals, hostile sizes, time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnlang.definition import check
from nnlang.linting.check import lint as lint_text
from nnlang.rules.rule import Saved
from nnlang.source import Source
from tests.linted import BAD, layers, lint, put

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# A process of its own


def started(*words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "nnlang", "lint", *words], text=True, **options)  # type: ignore[call-overload, no-any-return]


def test_a_sound_definition_needs_no_parser_of_any_kind() -> None:
    put("x.json")
    code = (
        "import sys; from nnlang.cli import run_command; run_command(['lint', 'x.json']);"
        "heavy = ('lark', 'torch', 'numpy', 'h5py', 'rich', 'tomllib', 'nnlang.codegen', 'nnlang.compiler',"
        " 'nnlang.runtime.train', 'nnlang.linting.formats', 'nnlang.cli.train');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_keeps_the_exit_code() -> None:
    put("x.json", BAD)
    for form in ("text", "json", "junit"):
        reading, writing = os.pipe()
        os.close(reading)
        done = started("x.json", "--output-format", form, stdout=writing, stderr=writing)
        os.close(writing)
        assert done.wait(30) == 1


def test_an_interrupt_ends_without_a_traceback() -> None:
    with started("-", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Traceback" not in told


def test_a_removed_folder_is_no_riddle() -> None:
    Path("gone").mkdir()
    put("x.json")
    path = str(Path("x.json").resolve())
    done = subprocess.run(
        ["sh", "-c", f"cd gone && rmdir ../gone && '{sys.executable}' -m nnlang lint '{path}'"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


LIMIT_TEXTS = {
    "4 MB": '{"a": "' + "x" * 4_000_000 + '"}',
    "deep": "[" * 1_000_000,
    "deep objects": '{"a":' * 150_000,
    "a comment": "/*" + "*" * 999_990,
    "a string": '"' + "\\" * 999_990,
    "lines": "\n" * 999_990,
    "words": "a " * 499_990,
    "numbers": "[" + "1," * 140_000 + "1]",
}


@pytest.mark.parametrize("case", LIMIT_TEXTS)
def test_hostile_sizes_end_in_a_diagnostic(case: str, capsys: Capture) -> None:
    put("x.json", LIMIT_TEXTS[case])
    began = time.process_time()
    assert lint("x.json") == 1
    assert time.process_time() - began < 4
    assert "error[NN" in capsys.readouterr().out


def test_ten_thousand_layers_are_checked_in_time() -> None:
    put("x.json", layers(10_000))
    began = time.process_time()
    sizes = ["--gpu-memory", "24GB", "--width", "gl_input=1000", "--width", "gl_output=1000"]
    assert lint("x.json", *sizes, "--ignore", "NN431") == 0
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "member",
    [
        '"WeightInit":{"Scheme":"Constant"}',
        *(
            pytest.param(member, marks=pytest.mark.full)
            for member in ('"Activation":"Linear"', '"Source":["gone"]', '"lr":1,"seed":1')
        ),
    ],
)
def test_ten_thousand_layers_with_something_to_say_are_checked_in_time(member: str, capsys: Capture) -> None:
    put("x.json", layers(10_000).replace('"Activation":"Relu","pDropout":0.1', member))
    began = time.process_time()
    lint("x.json")
    assert time.process_time() - began < 5
    assert "[NN449]" in capsys.readouterr().out


def test_a_model_with_other_names_is_compared_in_time() -> None:
    """1,500 layers against a model of which nothing fits: hints are given for the first few alone."""
    text = layers(1_500).replace('"auto"', "64")
    network = check(Source("saved.json", text.replace('"H0', '"Other0')), need_shapes=False).network
    assert network is not None
    began = time.process_time()
    found = lint_text(Source("x.json", text), saved=Saved("model.nc", network))
    assert time.process_time() - began < 2
    assert {f.diagnostic.code.code for f in found} >= {"NN440", "NN449"}


def test_an_object_of_twenty_thousand_foreign_keys_is_checked_in_time() -> None:
    text = '{"TrainingParameters":{"lr":1' + ',"lr":1' * 20_000 + "}}"
    began = time.process_time()
    assert lint_text(Source("x.json", text))
    assert time.process_time() - began < 2


@pytest.mark.full
def test_a_thousand_definitions_are_checked_in_time() -> None:
    """1,000 definitions of 1 kB in one process of its own: under 3 s of processor time, under 200 MB."""
    import resource

    for i in range(1_000):
        put(f"nets/{i:04d}.json", layers(11))
    done = started("nets", stdout=subprocess.DEVNULL)
    assert done.wait(60) == 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_utime + used.ru_stime < 3
    assert used.ru_maxrss < 200_000


@pytest.mark.full
def test_one_file_is_checked_at_once() -> None:
    put("x.json")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert started("x.json", stdout=subprocess.DEVNULL).wait(30) == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.35
