"""NN800-NN839: several devices and processes: starting them, laying a network over them, training on them."""

from __future__ import annotations

from nnlang.diagnostics import DEVICE, DISK, MEMORY, USAGE, Code

# NN800-NN809: starting ranks, their links, their ends
RANK_DIED = Code(
    "NN800",
    "rank-died",
    "rank {rank} of {ranks} {how}; the others were ended",
    help="{remedy}",
    exit=DEVICE,
)
LOST = Code(
    "NN801",
    "rank-lost",
    "another rank is not heard any more: {reason}",
    help="it was ended, hangs, or its machine is out of reach; --resume goes on from the last checkpoint",
    exit=DEVICE,
)
DISAGREE = Code(
    "NN802",
    "ranks-disagree",
    "the ranks do not have the same {what}: {first} on rank 0, {other} on rank {rank}",
    help="give every machine the same files, the same command and the same versions",
    exit=USAGE,
)
NOT_ALL_CAME = Code(
    "NN803",
    "ranks-missing",
    "only {came} of {ranks} ranks came within {seconds} seconds",
    help="see whether every machine was started and reaches {meeting}",
    exit=DEVICE,
)
BAD_WORLD = Code(
    "NN804",
    "bad-environment",
    "the environment variable {name} {value}: it {reason}",
    help="start with `nnlang train --devices N`, or through torchrun, which sets what ranks need; or unset RANK and "
    "WORLD_SIZE",
    exit=USAGE,
)
OTHER_DEVICES = Code(
    "NN805",
    "other-devices",
    "--devices is {devices}, but {size} ranks were started",
    help="leave --devices out, or start as many ranks",
    exit=USAGE,
)
TOO_FEW_GPUS = Code(
    "NN806",
    "too-few-gpus",
    "{wanted} ranks of this machine need {wanted} GPUs, torch sees {there}",
    help="--devices {there}, or --device cpu for processes on the CPU",
    exit=DEVICE,
)
LINK_FAILED = Code(
    "NN807",
    "link-failed",
    "the link between rank {first} ({first_host}) and rank {second} ({second_host}) failed: {reason}",
    help="see whether the machines reach each other on every port; GLOO_SOCKET_IFNAME (GPUs: NCCL_SOCKET_IFNAME as "
    "well) names the network interface to take",
    exit=DEVICE,
)
RESTARTED = Code(
    "NN808",
    "restarted",
    "all ranks were started anew (restart {count}): this run goes on from the last checkpoint, as with --resume",
    severity="note",
)

# NN810-NN819: laying a network over devices
DEVICES_TOO_SMALL = Code(
    "NN810",
    "devices-too-small",
    "training on {devices} takes {needed} of memory{each}; there are {memory}",
    help="{remedy}",
    exit=MEMORY,
)
BAD_WISH = Code(
    "NN811",
    "bad-parallel",
    "--parallel cannot have `{item}`: {reason}",
    help="such as --parallel model, --parallel data=2 or --parallel Output=split,Hidden=whole",
)
NO_SUCH_LAYER = Code("NN812", "no-such-layer", "--parallel names a layer `{name}`, which the network does not have")
CANNOT_SPLIT = Code(
    "NN813",
    "cannot-split",
    "layer `{name}` cannot be {wish}: {reason}",
    help="leave it out of --parallel, or ask for {name}=whole",
)
CANNOT_LAY_OUT = Code(
    "NN814",
    "cannot-lay-out",
    "{devices} cannot share the work so: {reason}",
    help="{remedy}",
)

# NN820-NN829: ways of training for slow links, without waiting, and with all data at once
BATCH_TOO_SMALL = Code(
    "NN820",
    "batch-too-small",
    "a batch of {batch} examples cannot be dealt out to {ranks} devices",
    "some would never get an example",
    "use batches of at least {ranks} (-b), or fewer --devices",
)
NOT_ASYNCHRONOUS = Code(
    "NN821",
    "not-asynchronous",
    "--asynchronous cannot be had here: {reason}",
    help="use --sync-every K, which averages the devices' models every K batches, on any device and several machines",
)
NO_SHARED_MEMORY = Code(
    "NN822",
    "no-shared-memory",
    "no room for {needed} of shared memory: neither {folders} has it",
    "processes that train without waiting share their weights there",
    "give /dev/shm more room (in containers: --shm-size), or set TMPDIR to a folder that has it",
    exit=DISK,
)
NOT_REPRODUCIBLE = Code(
    "NN823",
    "not-reproducible",
    "asynchronous training gives other numbers every time: processes overtake one another",
    help="use --sync-every K, or neither, where numbers must come out the same",
    severity="note",
)
NOT_IN_LBFGS = Code(
    "NN824",
    "not-in-lbfgs",
    "L-BFGS minimises the error itself, over all examples at once, and so leaves out: {what}",
    "what only steps of batches have has no place in one error of all data",
    "take it out of the definition and the command, or train in batches",
    severity="warning",
)
LBFGS_REFUSED = Code(
    "NN825",
    "lbfgs-refused",
    "L-BFGS cannot minimise an error with {what}",
    help="{remedy}",
)
LBFGS_CONVERGED = Code(
    "NN826",
    "lbfgs-converged",
    "L-BFGS has converged: from epoch {epoch} on no step along the gradient makes the error smaller",
    help="what is written is the minimum that it has come to; nothing is lost by ending here",
    severity="note",
)
RANKS_DRIFT = Code(
    "NN827",
    "ranks-drift",
    "the devices have come to different weights: they round differently",
    "with L-BFGS every device computes the same steps for itself",
    "use machines of one kind of processor",
    exit=DEVICE,
)
NOT_TOGETHER = Code(
    "NN828",
    "not-together",
    "{option} cannot be had: {reason}",
    help="{remedy}",
)

# NN830-NN839: parts of data, models and states
OUT_OF_REACH = Code(
    "NN830",
    "out-of-reach",
    "rank {rank} cannot read `{path}`, which the first rank goes on from: {reason}",
    help="keep the model and its checkpoints in a folder that all machines share",
    exit=DISK,
)

__all__ = ["DEVICE", "DISK", "MEMORY", "USAGE", "Code"]
