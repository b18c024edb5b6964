"""`nnlang demo`: the whole road on a small sample, text to recommendations, then how to do it with your own data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import evaluate, options, show
from nnlang.cli.train import execute
from nnlang.codes import usage as codes
from nnlang.definition import check
from nnlang.diagnostics import Place, stop
from nnlang.syntax import read_source

if TYPE_CHECKING:
    from nnlang.runtime.sample import Sample

DEFINITION = """{
  // An autoencoder in DSSTNE's language: from what somebody has, what else they would like.
  "Version": 0.8,
  "Name": "demo",
  "Kind": "FeedForward",
  "Denoising": { "p": 0.5 },
  "ScaledMarginalCrossEntropy": { "oneTarget": 1.0, "zeroTarget": 0.0, "oneScale": 1.0, "zeroScale": 1.0 },
  "ErrorFunction": "ScaledMarginalCrossEntropy",
  "Layers": [
    { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "demo_input", "Sparse": true },
    { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 64, "Activation": "Tanh" },
    {
      "Name": "Output",
      "Kind": "Output",
      "Type": "FullyConnected",
      "DataSet": "demo_output",
      "N": "auto",
      "Source": "Hidden",
      "Activation": "Sigmoid",
      "Sparse": true
    }
  ],
  "TrainingParameters": {
    "Epochs": 12,
    "MiniBatch": 128,
    "Optimizer": "Adam",
    "Alpha": 0.01,
    "Lambda": 0,
    "Mu": 0.9,
    "CheckpointInterval": 0
  }
}
"""
_USERS_SHOWN = 5
_ITEMS_SHOWN = 5


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Where the files go; a new folder or one of ours.", readable=False
        ),
    ] = Path("nnlang-demo"),
    users: Annotated[int, typer.Option("--users", metavar="N", help="Users of the sample.", min=20)] = 2000,
    items: Annotated[int, typer.Option("--items", metavar="N", help="Items of the sample.", min=100)] = 3000,
    entries: Annotated[int, typer.Option("--entries", metavar="N", help="Entries of the sample.", min=200)] = 100_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the sample and of the split.", min=0)] = 1,
) -> None:
    """Make a sample with known tastes, train on it, judge the model on held-out items, recommend.

    \b
    nnlang demo
    nnlang demo -o /tmp/demo --users 500
    """
    from nnlang.runtime.evaluate import evaluate as judge
    from nnlang.runtime.evaluate import split
    from nnlang.runtime.filters import FilterMode
    from nnlang.runtime.predict import Request, predict
    from nnlang.runtime.sample import taste_groups

    begin, device = time.perf_counter(), options.device()
    _check_folder(output)
    sample = taste_groups(users, items, entries, seed=seed)
    options.folder(output)
    ratings, kept, held = output / "ratings", output / "ratings_train", output / "ratings_test"
    config, model, recs = output / "config.json", output / "demo.nc", output / "recs"
    sample.write(ratings)
    parts = split(ratings, kept, held, 0.2, seed)
    _step(f"1. A sample: {users:,} users, {items:,} items, {parts.kept + parts.held:,} entries -> {ratings}")
    show.say(f"   Each user loves one group of items ({', '.join(sample.groups[:4])}, ...) and likes a second one.")
    show.say(f"   {parts.held:,} entries are held out to judge the result.")
    _step(f"2. A definition, checked: nnlang lint {config}")
    config.write_text(DEFINITION, encoding="utf-8")
    checked = check(read_source(config), need_shapes=False)
    show.findings(checked.report.sorted())
    _step("3. Data sets from text (nnlang generate) and training (nnlang train)")
    session = evaluate.prepare_text(config, kept, output)
    result = execute(session, model, device, views=(show.EpochView(session.settings.epochs),))
    _step("4. Held-out items found among ten recommendations (nnlang evaluate)")
    evaluate.report(judge(result.model, kept, held, device=device), as_json=False)
    _step("5. Recommendations (nnlang predict)")
    request = Request(kept, recs, filter=kept, filter_mode=FilterMode.REMOVE, k=10)
    predict(result.model, request, device=device)
    _show_users(sample, recs)
    show.say(f"\nDone in {time.perf_counter() - begin:.0f} s; all files are in {output}.")
    _show_commands(output)


def _check_folder(folder: Path) -> None:
    """Raise `Stop` for a folder that holds something other than an earlier demo: nobody's files are overwritten."""
    config = folder / "config.json"
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not config.is_file() or config.read_text(encoding="utf-8", errors="replace") != DEFINITION:
        reason = f"the folder `{folder}` holds files that are not the demo's"
        raise stop(codes.BAD_USAGE, Place(str(folder)), reason=reason, command="demo", help="give a new folder to -o")


def _step(text: str) -> None:
    show.say(f"\n{text}")


def _show_users(sample: Sample, recs: Path) -> None:
    """A table of a few users: their tastes as planted, and what is recommended to them."""
    number = {user: place for place, user in enumerate(sample.users)}
    rows = []
    with recs.open(encoding="utf-8") as lines:
        for _, line in zip(range(_USERS_SHOWN), lines, strict=False):
            user, _, found = line.rstrip("\n").partition("\t")
            names = [pair.partition(",")[0] for pair in found.split(":")[:_ITEMS_SHOWN]]
            at = number[user]
            loves, likes = sample.groups[sample.taste[at]], sample.groups[sample.second[at]]
            rows.append((user, loves, likes, ", ".join(names)))
    show.table("", ("user", "loves", "likes", "recommended"), rows)


def _show_commands(folder: Path) -> None:
    show.say(
        f"""
The same with your own data, one line a user (`user TAB item:item:item`) in a file `ratings`:

  nnlang generate -d demo_input  -i ratings -o input.nc  -f features -s samples -c
  nnlang generate -d demo_output -i ratings -o output.nc -f features -s samples
  nnlang train -c {folder / "config.json"} -i input.nc -o output.nc -n model.nc
  nnlang predict -n model.nc -i features -o features -r ratings -f ratings -s recs -k 10
  nnlang evaluate -c {folder / "config.json"} -r ratings --holdout 0.2"""
    )
