"""NN710-NN719: reading and writing any file."""

from nnlang.diagnostics import DATA, DISK, Code

NO_SUCH_FILE = Code(
    "NN710", "no-such-file", "there is no file `{path}`", help="check the spelling and the folder you are in", exit=DATA
)
IS_A_FOLDER = Code(
    "NN711", "is-a-folder", "`{path}` is a folder, a file is needed", help="give the path of a file in it", exit=DATA
)
NOT_READABLE = Code(
    "NN712",
    "not-readable",
    "`{path}` cannot be read: {reason}",
    help="check who owns the file and its permissions (`ls -l`)",
    exit=DATA,
)
EMPTY_FILE = Code(
    "NN713",
    "empty-file",
    "`{path}` is empty",
    help="give a file with content; an empty one is often a broken download",
    exit=DATA,
)
NOT_A_FILE = Code(
    "NN714",
    "not-a-file",
    "`{path}` is not a plain file",
    help="addresses, pipes and devices are not read: save the data to a file first",
    exit=DATA,
)
NO_FOLDER = Code(
    "NN715",
    "no-folder",
    "the folder `{folder}` for `{path}` does not exist",
    help="create it (`mkdir -p {folder}`) or write elsewhere",
    exit=DISK,
)
NOT_WRITABLE = Code(
    "NN716",
    "not-writable",
    "`{path}` cannot be written: {reason}",
    help="write elsewhere, or change the permissions of the folder",
    exit=DISK,
)
DISK_FULL = Code(
    "NN717",
    "disk-full",
    "there was no room to write `{path}`: {reason}; needed {needed}, free {free}",
    help="free some space or write to another disk; what stood at this path before is unchanged",
    exit=DISK,
)
SAME_FILE = Code(
    "NN718",
    "same-file",
    "`{path}` is named for two purposes: {one} and {other}",
    help="give each its own file",
    exit=DATA,
)
WRITE_FAILED = Code(
    "NN719",
    "write-failed",
    "writing `{path}` failed: {reason}",
    help="check the disk (`dmesg`, free space, quota); what stood at this path before is unchanged",
    exit=DISK,
)
