"""The command line: what it imports, its words for wrong usage, exit codes, lint and compile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang import cli
from nnlang.cli import run_command, show
from nnlang.codes import files
from nnlang.diagnostics import Place, stop
from nnlang.version import __version__

GOOD = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto", "Sparse": true }
] }"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(GOOD)
    return path


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["lint", "{config}"], ["nope"]])
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: list[str], config: Path) -> None:
    words = [word.format(config=config) for word in arguments]
    code = (
        "import sys; from nnlang.cli import run_command; run_command(sys.argv[1:]);"
        "print([m for m in ('torch', 'numpy', 'h5py', 'netCDF4', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out == f"nnlang {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "error[NN701]: nnlang has no command `trian`\n  = help: did you mean `train`?"),
        (["xyzzy"], "error[NN701]: nnlang has no command `xyzzy`\n  = help: `nnlang --help` lists all commands"),
        (["train", "--alhpa", "1"], "`nnlang train` has no option `--alhpa`\n  = help: did you mean `--alpha`?"),
        (["train"], "error[NN702]: `nnlang train` needs -c / --config"),
        (["predict", "-n", "m", "-r", "x", "-s", "y", "-k", "ten"], "error[NN703]: -k / --top-k cannot be `ten`"),
        (["predict", "-n", "m", "-r", "x", "-s", "y", "-k", "0"], "error[NN703]: -k cannot be `0`: it takes an int"),
        (["predict", "-n", "m", "-r", "x", "-s", "y", "-p", "%s"], "error[NN703]: -p cannot be `%s`"),
        (["predict", "-n", "m", "-r", "x", "-s", "y", "--filter-mode", "scael"], "did you mean `scale`?"),
        (["train", "-c", "c", "-i", "i", "-o", "o", "-n", "n", "--device", "tpu"], "error[NN706]: device `tpu`"),
        (["train", "-c", "c", "-i", "i", "-o", "o", "-n", "n", "--resume", "--overwrite"], "error[NN707]"),
        (["train", "-c"], "error[NN704]: Option '-c' requires an argument."),
        (["data", "foo"], "error[NN701]: nnlang has no command `data foo`\n  = help: `nnlang data --help` lists its"),
        (["sweep", "statsu", "x"], "nnlang has no command `sweep statsu`\n  = help: did you mean `status`?"),
        (["data", "split", "r", "-o", "s", "--fraction", "x"], "help: `nnlang data split --help` says"),
        (["sweep", "run", "x", "-o", "y", "--keep", "0"], "error[NN703]: --keep cannot be `0`: it takes 1 or more"),
        (["sweep", "show", "x", "y"], "error[NN703]: [N] cannot be `y`: it takes an integer"),
        (["evaluate", "-r", "x"], "error[NN704]: give either a model"),
        (["evaluate", "-r", "x", "-c", "c", "--holdout", "2"], "error[NN703]: --holdout cannot be `2.0`"),
        (["compile", "c", "--emit", "opts"], "error[NN703]: --emit cannot be `opts`"),
        (["compile", "c", "--width", "gl_input"], "error[NN703]: --width cannot be `gl_input`"),
    ],
)  # fmt: skip
def test_wrong_usage_is_a_finding(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = 5 if "NN706" in words else 2
    assert run_command(arguments) == expected
    found = told(capsys)
    assert words in found
    assert "Traceback" not in found


@pytest.mark.parametrize("flag", ["-alpha", "--alpha"])
def test_dsstne_long_flags_have_one_dash_or_two(flag: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["-i", "none.nc", "-o", "none.nc", "-n", str(config.parent / "m.nc")]
    assert run_command(["train", "-c", str(config), *files, flag, "-3"]) == 2
    assert "--alpha cannot be `-3.0`: it takes a number from 0 to 1e+30" in told(capsys)
    assert run_command(["train", "-c", str(config), *files, flag, "0.1", "-b256", "-lambda1=1e-5", "-mu1", "0"]) == 3
    assert "NN710" in told(capsys)


def test_an_existing_model_is_not_replaced(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = config.parent / "gl.nc"
    model.write_text("precious")
    assert run_command(["train", "-c", str(config), "-i", "i.nc", "-o", "o.nc", "-n", str(model)]) == 2
    assert "NN708" in told(capsys)
    assert model.read_text() == "precious"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ModuleNotFoundError("No module", name="torch.nn"), 2, "pip install 'nnlang[run]'"),
        (ModuleNotFoundError("No module", name="optuna"), 2, "pip install 'nnlang[sweep]'"),
        (ModuleNotFoundError("No module", name="nnlang.gone"), 70, "internal error: ModuleNotFoundError"),
        (KeyError("x\x1b[2J"), 70, "nnlang --traceback lint x"),
        (MemoryError(), 4, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 4, "not enough memory"),
        (RuntimeError("shape mismatch"), 70, "internal error: RuntimeError: shape mismatch"),
        (stop(files.NO_SUCH_FILE, Place("f"), path="f"), 3, "error[NN710]"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_end_has_its_exit_code(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert run_command(["lint", "x"]) == code
    found = told(capsys)
    assert words in found
    assert "\x1b" not in found
    assert "Traceback" not in found


def test_an_interruption_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nnlang.cli.data_split.names", interrupted)
    assert run_command(["data", "split", "ratings", "-o", "split"]) == 130
    assert told(capsys) == "interrupted\n"


def test_traceback_is_shown_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*args: object, **options: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(cli, "app", fail)
    assert run_command(["lint", "x", "--traceback"]) == 70
    assert "Traceback (most recent call last)" in told(capsys)


def test_a_reader_that_has_enough_is_no_error(config: Path) -> None:
    shell = f"'{sys.executable}' -m nnlang compile '{config}' --emit ast --data nowhere; true"
    assert subprocess.run(["sh", "-c", shell], capture_output=True, check=True).returncode == 0
    loop = f"'{sys.executable}' -m nnlang train --help | head -1"
    done = subprocess.run(["sh", "-c", loop], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_lint_of_a_good_definition(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["lint", str(config)]) == 0
    assert "1 file checked" in capsys.readouterr().out


def test_lint_goes_through_folders_and_counts(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "sub").mkdir()
    (config.parent / "sub" / "bad.json").write_text(GOOD.replace('"Kind": "Output"', '"Kind": "Outptu"'))
    assert run_command(["lint", str(config.parent)]) == 1
    out = capsys.readouterr()
    assert "2 files checked: 1 error" in out.out
    assert "bad.json:3:" in out.out


def test_lint_for_machines(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(GOOD.replace('"Name": "small"', '"Nmae": "small"'))
    assert run_command(["lint", str(config), "--json"]) == 1
    record = json.loads(capsys.readouterr().out.splitlines()[0])
    assert record["file"] == str(config)
    assert (record["severity"], record["line"], record["column"]) == ("error", 1, 19)


def test_lint_of_a_missing_file_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["lint", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().out


WIDTHS = ["--width", "gl_input=300", "--width", "gl_output=300"]


@pytest.mark.parametrize("stage", ["ast", "network", "ir", "opt", "plan", "source"])
def test_compile_prints_each_stage(stage: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compile", str(config), *WIDTHS, "--emit", stage]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_compile_writes_all_stages(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compile", str(config), *WIDTHS, "--emit", "all", "-o", str(config.parent / "out")]) == 0
    names = {path.name for path in (config.parent / "out").iterdir()}
    assert {"ast.txt", "network.txt", "ir.txt", "opt.txt", "plan.txt", "source.py"} <= names


def test_compile_stats_are_computed_without_running(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compile", str(config), *WIDTHS, "--stats", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flops"] > 0
    assert found["peak_memory"] > 300 * 300 * 4


def test_compile_print_after_a_pass(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compile", str(config), *WIDTHS, "--print-after", "sparse-input"]) == 0
    assert run_command(["compile", str(config), *WIDTHS, "--print-after", "sparse-inputs"]) == 2
    assert "did you mean `sparse-input`?" in told(capsys)


def test_tables_are_aligned_text_when_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    show.table("title", ("name", "n"), [("a\x1b", 1234), ("bb", 5)])
    assert capsys.readouterr().out == "title\n  name         n\n  a\\u001b  1,234\n  bb           5\n"


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ({"alpha": 0.05}, ["alpha 0.05 from --alpha overrides the definition's 0.01"]),
        ({"alpha": 0.01, "epochs": 3}, []),
        ({"optimizer": "adam"}, ["optimizer Adam from --optimizer overrides the definition's SGD"]),
        ({"lambda_": 0.1, "alpha": None}, []),
    ],
)
def test_flags_override_the_definition_and_say_so(flags: dict[str, object], lines: list[str]) -> None:
    from nnlang.cli.options import FLAGS
    from nnlang.network import Optimizer
    from nnlang.settings import settle

    settings, found = settle({"alpha": 0.01, "optimizer": Optimizer.SGD}, flags, names=FLAGS)
    assert found == lines
    assert settings.alpha == (flags.get("alpha") or 0.01)
    assert settings.batch == 1024
