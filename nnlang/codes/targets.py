"""NN760-NN769: emitted modules and their kernels."""

from nnlang.diagnostics import DEVICE, DISK, Code

CACHE_UNSAFE = Code(
    "NN760",
    "cache-unsafe",
    "the cache folder `{path}` is not used: {reason}",
    "code is loaded from it, so it must be yours alone",
    "make it yours (`chmod 700 {path}`), or set NNLANG_CACHE to a folder that is",
    exit=DISK,
)
OTHER_MODE = Code(
    "NN761",
    "other-mode",
    "this process has loaded triton as {found}, {needed} is needed",
    help="triton decides on its first import (TRITON_INTERPRET): do the other in a new process",
    exit=DEVICE,
)
KERNEL_FAILED = Code(
    "NN762",
    "kernel-failed",
    "kernel `{kernel}` does not compile for {target}: {reason}",
    help="try other tiles (--tuning FILE); if those of nnlang itself fail, report it with what --emit=source prints",
    exit=DEVICE,
)
NOT_ON_THIS_SYSTEM = Code(
    "NN763",
    "not-on-this-system",
    "triton, which compiles for {target}, does not exist for {system}",
    help="compile on Linux, in a container for instance; --emit=source needs no triton",
    exit=DEVICE,
)
