"""The text of plans for devices that are not there, the refusals, the page: all as people read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.codegen import machines
from nnlang.codes import ranks as codes
from nnlang.diagnostics import MEMORY, Code, Stop
from nnlang.planner.words import time_text
from tests.conftest import Golden
from tests.laid import DEEP, EXAMPLES, FAQ, ROOT, TIED, chosen, example

PLANS, ERRORS = Path(__file__).parent / "plans", Path(__file__).parent / "plan_errors"

WIDE = ["--width", "gl_input=8000000", "--width", "gl_output=8000000"]
MOVIES = ["--width", "gl_input=27278", "--width", "gl_output=27278", "-b", "256"]
GPUS = ["--target", "cuda:90", "--devices"]
CASES = {
    "faq_8_of_24GB": [FAQ, *WIDE, "--devices", "8", "--gpu-memory", "24GB"],
    "faq_slow_link": [FAQ, *WIDE, "--devices", "4", "--gpu-memory", "24GB", "--link", "100Mbit/s,1ms"],
    "deep_4": [DEEP, *MOVIES, *GPUS, "4"],
    "deep_4_by_hand": [DEEP, *MOVIES, *GPUS, "4", "--parallel", "Hidden2=rows,Input=whole"],
    "deep_8_in_groups": [DEEP, *MOVIES, *GPUS, "8", "--parallel", "data=2"],
    "deep_4_deterministic": [DEEP, *MOVIES, "--devices", "4", "--deterministic"],
    "deep_2_data": [DEEP, *MOVIES, *GPUS, "2", "--parallel", "data"],
    "skip_2": ["dsstne/skip.json", "--width", "input=27278", "--width", "output=27278", *GPUS, "2"],
    "tied_4": [TIED, "--width", "input=27278", *GPUS, "4"],
    "one_device": [FAQ, *WIDE, "--gpu-memory", "80GiB"],
}  # fmt: skip


def compiled(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """What `nnlang compile` gives: exit code, output, errors."""
    code = run_command(["compile", str(EXAMPLES / words[0]), *words[1:]])
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.mark.parametrize("name", CASES)
def test_a_plan_reads_as_blessed(name: str, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = compiled(capsys, *CASES[name], "--emit", "plan")
    assert (code, err) == (0, "")
    golden(PLANS / f"{name}.txt", out)


def test_texts_of_cases_that_do_not_exist_are_not_kept() -> None:
    assert {path.stem for path in PLANS.glob("*.txt")} == CASES.keys()
    assert {path.stem for path in ERRORS.glob("*.err")} == REFUSED.keys()


def test_json_has_the_numbers_of_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = compiled(capsys, *CASES["faq_8_of_24GB"], "--emit", "plan", "--json")
    decision, plan = (json.loads(line) for line in out.splitlines())
    assert decision["devices"] == 8 and decision["device_memory"] == 24_000_000_000
    assert [row["split"] for row in decision["layers"]] == [True, False, True]
    found = decision["chosen"]
    assert found["split"] == ["Input", "Output"] and found["fits"] and found["memory"]["total"] < 24e9
    assert found["seconds"] == pytest.approx(found["compute"] + found["exchange"] - found["hidden"])
    assert not decision["alone"]["fits"] and decision["alternatives"]
    assert f"wire={found['wire']}" in plan["text"] and plan["stage"] == "plan"


def test_other_stages_are_those_of_the_first_device(capsys: pytest.CaptureFixture[str]) -> None:
    words = [DEEP, *MOVIES, "--devices", "4"]
    _, source, _ = compiled(capsys, *words, "--emit", "source")
    assert "block.ranks.sum(t0)" in source
    _, ops, _ = compiled(capsys, *words, "--emit", "opt")
    assert "unit4:7168@0/27278" in ops
    _, told, _ = compiled(capsys, *words, "--stats", "--parallel", "data")
    assert "step, batch 64" in told


def test_the_decision_needs_neither_torch_nor_triton() -> None:
    words = [sys.executable, "-c", WITHOUT, "compile", str(EXAMPLES / FAQ), *WIDE, "--devices", "8", "--emit=plan"]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("torch", "triton", "numpy"), None))
from nnlang.cli import run_command
sys.exit(run_command(sys.argv[1:]))
"""


REFUSED = {
    "NN810_one_device": [FAQ, *WIDE, "--gpu-memory", "24GB"],
    "NN810_more": [FAQ, *WIDE, "--gpu-memory", "10GB", "--devices", "2"],
    "NN810_rows_shared": [FAQ, *WIDE, "--gpu-memory", "24GB", "--devices", "4", "--parallel", "data"],
    "NN810_batch": [FAQ, *WIDE, "--gpu-memory", "2MB"],
    "NN811_word": [DEEP, *MOVIES, "--devices", "2", "--parallel", "dta"],
    "NN811_form": [DEEP, *MOVIES, "--devices", "2", "--parallel", "Output=spilt"],
    "NN811_twice": [DEEP, *MOVIES, "--devices", "2", "--parallel", "model,data=2"],
    "NN811_both": [DEEP, *MOVIES, "--devices", "2", "--parallel", "Hidden1=rows,Input=whole"],
    "NN812_unknown": [DEEP, *MOVIES, "--devices", "2", "--parallel", "Hiden1=split"],
    "NN812_far": [DEEP, *MOVIES, "--devices", "2", "--parallel", "Decoder=split"],
    "NN813_narrow": [FAQ, *WIDE, "--devices", "2", "--parallel", "Hidden=split"],
    "NN813_source": [DEEP, *MOVIES, "--devices", "2", "--parallel", "Input=rows"],
    "NN813_tied": [TIED, "--width", "input=27278", "--devices", "2", "--parallel", "Input=split,Output=whole"],
    "NN813_data": [DEEP, *MOVIES, "--devices", "2", "--parallel", "data,Output=split"],
    "NN813_alone": [DEEP, *MOVIES, "--devices", "1", "--parallel", "Output=split"],
    "NN813_exact": [FAQ, *WIDE, "--devices", "16", "--deterministic", "--parallel", "Output=split"],
    "NN814_divisor": [DEEP, *MOVIES, "--devices", "6", "--parallel", "data=4"],
    "NN814_batch": [DEEP, *MOVIES, "--devices", "512", "--parallel", "data"],
    "NN814_exact_data": [DEEP, *MOVIES, "--devices", "4", "--deterministic", "--parallel", "data=2"],
    "NN814_exact_three": [DEEP, *MOVIES, "--devices", "3", "--deterministic"],
    "NN814_whole": [FAQ, *WIDE, "--devices", "2", "--parallel", "model,Input=whole,Output=whole"],
    "NN703_memory": [DEEP, *MOVIES, "--devices", "2", "--gpu-memory", "24 apples"],
    "NN703_link": [DEEP, *MOVIES, "--devices", "2", "--link", "fast"],
    "NN703_devices": [DEEP, *MOVIES, "--devices", "0"],
    "NN703_kernels": [DEEP, *MOVIES, "--devices", "2", "--target", "cuda:90", "--emit", "ptx"],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_reads_as_blessed(name: str, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    words = REFUSED[name]
    code, out, err = compiled(capsys, *words, *([] if "--emit" in words else ["--emit", "plan"]))
    assert out == "" and f"[{name[:5]}]" in err and "= help: " in err
    assert code == (MEMORY if name.startswith("NN810") else 2)
    golden(ERRORS / f"{name}.err", err)


def test_every_code_of_the_planner_has_a_case() -> None:
    ours = {x.code for x in vars(codes).values() if isinstance(x, Code) and "NN810" <= x.code <= "NN819"}
    assert ours == {name[:5] for name in REFUSED} - {"NN703"}


@pytest.mark.parametrize("memory", [24e9, 10e9, 3e9])
def test_the_number_of_devices_that_would_do_does_and_one_less_does_not(memory: float) -> None:
    network = example(FAQ, 8_000_000)
    with pytest.raises(Stop) as caught:
        chosen(network, 1, memory=memory)
    enough = int(str(caught.value.diagnostics[0].remedy).split("`")[1].split()[1])
    assert chosen(network, enough, memory=memory).estimate.memory.total <= memory
    with pytest.raises(Stop, match="NN810"):
        chosen(network, enough - 1, memory=memory)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 us"),
        (1.516e-4, "152 us"),
        (9.997e-4, "1.00 ms"),
        (2.533e-3, "2.53 ms"),
        (32.1, "32.1 s"),
        (4e5, "400,000 s"),
    ],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_the_computed_scaling_in_the_page_is_what_the_script_computes() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import scaling

    page = scaling.PAGE.read_text(encoding="utf-8")
    assert scaling.replaced(page) == page, "write it anew: python benchmarks/scaling.py --write"


def test_the_page_has_the_figures_of_the_machines() -> None:
    page = (ROOT / "docs" / "parallel.md").read_text(encoding="utf-8")
    for machine in (machines.A100, machines.H200, machines.B200, machines.MI300X):
        rate, memory = f"{machine.flops['tf32'] / 1e12:.0f} TF", f"{machine.memory / 1e9:.0f} GB"
        link = f"{machine.link.speed / 1e9:.0f} GB/s, {machine.link.latency * 1e6:.0f} us"
        assert f"| {rate} | {memory}, {machine.bandwidth / 1e12:.1f} TB/s | {link} |" in page
