"""The whole road on the command line: generate, train, resume, interrupt, predict, evaluate, and job files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnlang.cli import run_command

DEFINITION = {
    "Version": 0.8,
    "Name": "small",
    "Kind": "FeedForward",
    "Layers": [
        {"Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": True},
        {"Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 6, "Activation": "Tanh"},
        {"Kind": "Output", "Type": "FullyConnected", "N": "auto", "DataSet": "gl_output", "Sparse": True},
    ],
    "TrainingParameters": {"Epochs": 3, "MiniBatch": 4, "Optimizer": "Nesterov", "Alpha": 0.05},
}  # fmt: skip
RATINGS = "".join(f"u{u}\t" + ":".join(f"i{(u * 3 + n * n) % 17}" for n in range(6)) + "\n" for u in range(20))
FILES = ["-i", "gl_input.nc", "-o", "gl_output.nc"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and the current one, with a definition, ratings and data sets."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "ratings").write_text(RATINGS)
    index = ["-f", "features", "-s", "samples"]
    assert run_command(["generate", "-d", "gl_input", "-i", "ratings", "-o", "gl_input.nc", *index, "-c"]) == 0
    assert run_command(["generate", "-d", "gl_output", "-i", "ratings", "-o", "gl_output.nc", *index]) == 0
    return tmp_path


def train(*more: str) -> int:
    return run_command(["train", "-c", "config.json", *FILES, "-n", "gl.nc", *more])


def epochs(folder: Path) -> list[int]:
    lines = (folder / "gl.nc.metrics.jsonl").read_text().splitlines()
    keys = ["event", "epoch", "error", "training_error", "regularization_error", "seconds", "samples_per_second"]
    assert all(list(json.loads(line)) == keys for line in lines)
    return [json.loads(line)["epoch"] for line in lines]


def test_train_needs_nothing_but_files_and_tells_what_to_do_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train() == 0
    out = capsys.readouterr().out
    assert "training  3 epochs of batches of 4, Nesterov, alpha 0.05" in out
    assert "nnlang predict -n gl.nc" in out
    assert epochs(folder) == [1, 2, 3]


def test_predict_with_the_articles_flags(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    flags = "-b 256 -d gl -i features -o features -k 10 -n gl.nc -f ratings -s recs -r ratings"
    assert run_command(["predict", *flags.split()]) == 0
    seen = dict(line.split("\t") for line in RATINGS.splitlines())
    lines = (folder / "recs").read_text().splitlines()
    assert len(lines) == 20
    for line in lines:
        user, found = line.split("\t")
        items = [pair.split(",")[0] for pair in found.split(":")[:-1]]
        assert len(items) == 10
        assert not set(items) & set(seen[user].split(":"))


def test_labels_kept_in_the_model_make_index_files_needless(folder: Path) -> None:
    assert train("--input-index", "features", "--output-index", "features") == 0
    assert run_command(["predict", "-n", "gl.nc", "-r", "ratings", "-s", "without", "-k", "3"]) == 0
    flags = "-n gl.nc -r ratings -s with -k 3 -i features -o features"
    assert run_command(["predict", *flags.split()]) == 0
    assert (folder / "without").read_text() == (folder / "with").read_text()


def test_flags_override_and_say_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("-e", "1", "-alpha", "0.01", "--json") == 0
    found = capsys.readouterr()
    assert "alpha 0.01 from --alpha overrides the definition's 0.05" in found.err
    records = [json.loads(line) for line in found.out.splitlines() if line.startswith("{")]
    assert [record["event"] for record in records] == ["epoch", "done"]


def test_verbose_prints_the_line_of_dsstne(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("-e", "1", "--verbose") == 0
    assert "NNNetwork::Train: Epoch 1, average error " in capsys.readouterr().out


def test_resume_goes_on_and_the_metrics_with_it(folder: Path) -> None:
    assert train("-e", "2") == 0
    with (folder / "gl.nc.metrics.jsonl").open("a") as stream:
        stream.write('{"event": "epoch", "epoch": 3, "err')  # a crash in the middle of a line
    assert train("-e", "4", "--resume") == 0
    assert epochs(folder) == [1, 2, 3, 4]
    assert train("-e", "1", "--overwrite") == 0
    assert epochs(folder) == [1]


def test_metrics_that_cannot_be_written_stop_the_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "gl.nc.metrics.jsonl").mkdir()
    assert train() == 7
    assert "NN719" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_a_checkpoint_and_130(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "nnlang", "train", "-c", "config.json", *FILES, "-n", "gl.nc", "-e", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        log = folder / "gl.nc.metrics.jsonl"
        deadline = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "NN733" in told
    assert list(folder.glob("gl.nc.checkpoint.*"))
    assert train("-e", "1", "--resume") == 0


def test_evaluate_trains_on_a_split_and_prints_popularity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["evaluate", "-c", "config.json", "-r", "ratings", "--holdout", "0.2", "-k", "3"]) == 0
    out = capsys.readouterr().out
    assert "precision@3" in out
    assert "popularity" in out
    capsys.readouterr()
    assert run_command(["evaluate", "-c", "config.json", "-r", "ratings", "-k", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["users"], len(record["model"]["precision"])) == (20, 3)


def job(folder: Path, **keys: object) -> str:
    (folder / "job.json").write_text(json.dumps({"Version": 1, "Data": ["gl_input.nc", "gl_output.nc"], **keys}))
    return "job.json"


def test_a_train_job_prints_its_command_and_its_settings_win(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"Epochs": 2, "Alpha": 0.01, "Optimizer": "Adam", "ShuffleIndices": False, "Results": "job.nc"}
    path = job(folder, Network="config.json", Command="Train", TrainingParameters=settings, RandomSeed=7)
    assert run_command(["run", path]) == 0
    found = capsys.readouterr()
    assert "same as: nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n job.nc" in found.err
    assert "--optimizer Adam" in found.err
    assert "--no-shuffle" in found.err
    assert "alpha 0.01 from the job overrides the definition's 0.05" in found.err
    assert (folder / "job.nc").exists()
    assert run_command(["run", path]) == 2
    assert "NN708" in capsys.readouterr().err
    line = next(line for line in found.err.splitlines() if line.startswith("same as: "))
    assert run_command([*line.removeprefix("same as: nnlang ").split(), "--overwrite"]) == 0


def test_a_predict_job_prints_measures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    capsys.readouterr()
    path = job(folder, Network="gl.nc", Command="Predict", PredictionParameters={"K": 3, "Results": "measures"})
    assert run_command(["run", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["1", "2", "3"]
    assert all(0 <= float(value) <= 1 for line in lines for value in line.split(",")[1:])
    assert (folder / "measures").read_text().splitlines() == lines


@pytest.mark.parametrize("agree", [True, False])
def test_a_validate_job_says_by_its_exit_code_whether_gradients_agree(
    agree: bool, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not agree:
        from nnlang.runtime import validate

        monkeypatch.setattr(validate, "TOLERANCE", -1.0)
    path = job(folder, Network="config.json", Command="Validate")
    assert run_command(["run", path]) == (0 if agree else 1)
    assert ("FAILED" in capsys.readouterr().out) is not agree


def test_a_job_with_a_wrong_key_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = job(folder, Network="config.json", Command="Train", TrainingParameters={"Epoch": 2})
    assert run_command(["run", path]) == 2
    assert "job.json:1:" in capsys.readouterr().err
