"""`python -m tests.validated_crashes FOLDER KILLS SEED`: as tests.crashes, for a training that is judged on the way.

Every run ends early, pauses once, and keeps its best epoch; what is compared is every model file beside it and the
metrics file, without what a clock says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from nnlang.measures import Metric, metric
from nnlang.runtime.metricsfile import path_of, read, recorder
from nnlang.runtime.model import Model
from nnlang.runtime.validation import set_validation
from tests.crashes import Told, bits_of, inspect, killed
from tests.tiny import datasets, network, run

EPOCHS, PAUSE = 14, 5
CLOCKS = ("seconds", "samples_per_second")


def trained(path: Path) -> None:
    """The training, from wherever it stands, to its end."""
    by = metric("ndcg@3")
    assert isinstance(by, Metric)
    validation = set_validation(Model(network(datasets()), {}, {}), datasets(seed=9), by, patience=4)
    settings = {"epochs": EPOCHS, "checkpoint_interval": 3}
    for pause in (PAUSE, None):
        with recorder(path_of(path), resume=True) as record:
            run(path, training=settings, resume=True, validation=validation, observer=record, pause=pause)


def outcome(path: Path) -> dict[str, Any]:
    """All that a run leaves: arrays of every model file by name, and the curve."""
    models = {file.name: bits_of(file) for file in path.parent.iterdir() if file.suffix == ".nc"}
    curve = [{k: v for k, v in line.items() if k not in CLOCKS} for line in read(path_of(path))]
    return {"names": sorted(p.name for p in path.parent.iterdir()), "models": models, "curve": curve}


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """All runs; what is the same is compared with a run that nobody disturbed."""
    told, wanted = killed(folder, kills, seed, trained, outcome, inspect_models)
    return {**vars(told), "names": wanted["names"], "curve": wanted["curve"]}


def inspect_models(path: Path, told: Told) -> None:
    """As tests.crashes has it, but for the metrics file, whose torn lines are passed over."""
    log = path_of(path)
    text = log.read_bytes() if log.exists() else None
    log.unlink(missing_ok=True)
    inspect(path, told)
    if text is not None:
        log.write_bytes(text)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
