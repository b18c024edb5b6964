"""NN450-NN499: data sets, text and index files, and what is in them."""

from nnlang.diagnostics import DATA, USAGE, Code

# data-set files
NOT_NETCDF4 = Code(
    "NN450",
    "not-netcdf4",
    "`{path}` is not a NetCDF-4 file: {reason}",
    help="make data files with `nnlang generate`; `nccopy -k netCDF-4 old.nc new.nc` turns a classic file into one",
    exit=DATA,
)
DAMAGED = Code(
    "NN451",
    "damaged-data",
    "`{path}` is damaged: {reason}",
    help="copy or download the file again, or make it anew with `nnlang generate`",
    exit=DATA,
)
MISSING_PART = Code(
    "NN452",
    "missing-part",
    "the data file lacks the {what} `{part}`",
    help="the file is not complete, or not a DSSTNE data set; make it anew with `nnlang generate`",
    exit=DATA,
)
UNSAFE_PART = Code(
    "NN453",
    "unsafe-part",
    "`{part}` is refused: {reason}",
    help="copy the file with `nccopy` from a source that you trust",
    exit=DATA,
)
BAD_VALUE = Code(
    "NN454",
    "bad-part",
    "`{part}` is {found}, it must be {wanted}",
    help="the file breaks the data-set layout; make it anew with the tool that wrote it",
    exit=DATA,
)
BAD_ROWS = Code(
    "NN455",
    "bad-rows",
    "`{part}`: {reason}, first at position {position}",
    help="the file breaks the data-set layout; make it anew with the tool that wrote it",
    exit=DATA,
)
NOT_FINITE = Code(
    "NN456",
    "not-finite",
    "`{part}` holds values that are infinite or not a number: {count}, the first at position {position}",
    help="replace or drop such values before making the data file",
    exit=DATA,
)
DUPLICATE_SET = Code(
    "NN457",
    "duplicate-data-set",
    "the data set `{name}` is in the data twice",
    "already in `{other}`",
    help="give one of the two, or make one anew with another name (`nnlang generate -d other_name`)",
    exit=DATA,
)
TOO_LARGE = Code(
    "NN458",
    "data-too-large",
    "`{part}` needs {needed} of memory, {available} may be used",
    help="use a machine with more memory, or make the data set from fewer samples",
    exit=DATA,
)
TOO_MANY_SETS = Code(
    "NN459",
    "too-many-data-sets",
    "the file claims {count} data sets, the limit is {limit}",
    help="split the file",
    exit=DATA,
)

# text
BAD_LINE = Code(
    "NN460",
    "bad-line",
    "line cannot be used: {reason}",
    help="a line is `sample TAB feature:feature` or `sample TAB feature,value:feature,value`; "
    "mend the line, or leave out --strict to skip such lines",
    exit=DATA,
)
LINE_SKIPPED = Code(
    "NN461",
    "line-skipped",
    "line skipped: {reason}",
    severity="warning",
    help="mend the line, or make bad lines fatal with --strict",
)
MORE_LINES_SKIPPED = Code(
    "NN462", "more-lines-skipped", "more lines skipped: {count}, the first at {place}", severity="warning"
)
NO_ROWS = Code(
    "NN463",
    "no-rows",
    "`{path}` holds no line that can be used (bad lines: {bad})",
    help="a line is `sample TAB feature:feature` or `sample TAB feature,value:feature,value`; "
    "for comma-separated columns add `--columns user,item,rating`",
    exit=DATA,
)
NO_ENTRIES = Code(
    "NN464",
    "no-entries",
    "`{path}` holds no feature that is kept (samples: {samples})",
    help="{hint}",
    exit=DATA,
)
LINE_TOO_LONG = Code(
    "NN465",
    "line-too-long",
    "there is no line end in the first {limit} MB",
    help="this is hardly a text file of one sample a line; check what it is",
    exit=DATA,
)
EMPTY_FOLDER = Code(
    "NN466",
    "empty-folder",
    "the folder `{path}` holds no files",
    help="subfolders are not searched; name the right one",
    exit=DATA,
)
UNKNOWN_FEATURES = Code(
    "NN467",
    "unknown-features",
    "entries dropped because the index `{index}` does not hold their feature: {count}",
    severity="warning",
    help="add new features to the index with -m, or start a new index with -c",
)
REPLACED_ROWS = Code(
    "NN468",
    "replaced-rows",
    "lines that name a sample that came before: {count}; the last line of a sample counts",
    severity="warning",
    help="put all features of a sample on one line; `--columns` groups scattered rows",
)
BARE_FEATURES = Code(
    "NN469",
    "bare-features",
    "features without a value, stored as 0: {count}",
    severity="warning",
    help="write `feature,value`, or use `-t indicator` where presence is what counts",
)
EXTRA_VALUES = Code(
    "NN470",
    "extra-values",
    "features with more than one value: {count}; the first was taken",
    severity="warning",
    help="write `feature,value`",
)
EMPTY_ROWS = Code(
    "NN471",
    "empty-rows",
    "samples of the index `{index}` that are not in this input: {count}; their rows are empty, so that numbers agree",
    severity="note",
    help="delete the index file first to number the samples of this input alone",
)
DUPLICATE_ENTRIES = Code(
    "NN472",
    "duplicate-entries",
    "features that stand twice in a row: {count}; {done}",
    severity="warning",
    help="make the features of a sample distinct if this is not what you mean",
)

OTHER_KIND = Code(
    "NN473",
    "other-kind",
    "`{path}` is {found}; {new} is not written over it",
    help="write to another name, or delete the file first if it is not needed",
    exit=USAGE,
)
NOT_TEXT = Code(
    "NN474",
    "not-text",
    "`{path}` is {found}, text is needed",
    help="give the text that the data set was made from: one sample a line, `sample TAB feature:feature`",
    exit=DATA,
)
NOT_DATA = Code(
    "NN478",
    "not-data",
    "`{path}` is a model, a data set is needed",
    help="give the file that `nnlang generate -o` wrote",
    exit=DATA,
)
FILTER_IDLE = Code(
    "NN477",
    "filter-idle",
    "the filter `{path}` has no effect: {reason}",
    severity="warning",
    help="a line is `sample TAB feature:feature`, with samples of the signals (-r) and features of the model's outputs",
)

# index files
BAD_INDEX_LINE = Code(
    "NN475",
    "bad-index-line",
    "the index file has a bad line: {reason}",
    help="each line is `label TAB number`, with distinct labels and distinct numbers from 0",
    exit=DATA,
)
NO_INDEX = Code(
    "NN476",
    "no-index",
    "there is no feature index `{path}`",
    help="create it from this input with -c; without -c or -m the features of an existing index are used",
    exit=DATA,
)

# columns
NO_COLUMN = Code(
    "NN480",
    "no-column",
    "there is no column `{column}`; the columns are {columns}",
    help="name columns of the header, or give their numbers from 1: `--columns 1,2,3`",
    exit=DATA,
)
BAD_COLUMNS = Code(
    "NN481",
    "bad-columns",
    "`--columns {given}` is not understood",
    help="give two to four names or numbers (from 1): user,item or user,item,rating or user,item,rating,time",
    exit=USAGE,
)
RATING_NEEDED = Code(
    "NN482",
    "rating-needed",
    "{flag} needs a column with ratings",
    help="name it third: `--columns user,item,rating`",
    exit=USAGE,
)
BAD_NAME = Code(
    "NN483",
    "bad-data-set-name",
    "`{name}` cannot be the name of a data set",
    help="use 1 to 128 letters, digits, `_`, `.`, `-` or spaces, not beginning with `-`",
    exit=USAGE,
)
BAD_TYPE = Code(
    "NN484",
    "bad-data-set-type",
    "there is no type `{given}`",
    help="use `-t indicator` (a feature is there or not) or `-t analog` (a feature has a value)",
    exit=USAGE,
)
CREATE_AND_MERGE = Code(
    "NN485",
    "create-and-merge",
    "-c and -m exclude each other",
    help="-c starts a new feature index, -m adds to an existing one",
    exit=USAGE,
)
BAD_DELIMITER = Code(
    "NN486",
    "bad-delimiter",
    "`--delimiter {given}` is not one character",
    help="give one character, or `tab`",
    exit=USAGE,
)

# preparation
NOTHING_LEFT = Code(
    "NN487",
    "nothing-left",
    "the preparation step {step} leaves nothing of data set `{dataset}` to train on",
    help="{remedy}",
    exit=DATA,
)
NO_INFORMATION = Code(
    "NN488",
    "no-information",
    "the preparation step {step} cannot count with the targets in data set `{dataset}`: {reason}",
    help="use TopFrequency, which looks at the input alone",
    exit=DATA,
)
PREPARED = Code(
    "NN489",
    "prepared",
    "the preparation step {step} of data set `{dataset}`: {told}",
    severity="note",
)

# downloads
NO_NETWORK = Code(
    "NN490",
    "no-network",
    "`{url}` cannot be reached: {reason}",
    help="{remedy}",
    exit=DATA,
)
BAD_CHECKSUM = Code(
    "NN491",
    "bad-checksum",
    "`{path}` is not what the publisher offers: checksum {found}, published {wanted}",
    help="delete the file and run the command again; if it stays so, the publisher changed the file",
    exit=DATA,
)
BAD_ARCHIVE = Code(
    "NN492",
    "bad-archive",
    "`{path}` cannot be used: {reason}",
    help="give the zip as published, or the ratings.csv in it",
    exit=DATA,
)
UNKNOWN_COLLECTION = Code(
    "NN493", "unknown-collection", "there is no collection `{name}` to get", help="known: {known}", exit=USAGE
)

# splits and what is suspicious in data
NO_TIMES = Code(
    "NN494",
    "no-times",
    "protocol {protocol} needs the time of every entry: {reason}",
    help="`--second time` reads the number after an item as its time (`user TAB item,time:item,time`); of a table name "
    "the times fourth, `--columns user,item,rating,time`, or third with `--second time`",
    exit=DATA,
)
BAD_PROTOCOL = Code(
    "NN495",
    "bad-protocol",
    "`{number}`{where} cannot be `{value}`: {reason}",
    help="{remedy}",
    exit=USAGE,
)
EMPTY_PART = Code(
    "NN496",
    "empty-part",
    "the {part} part of the split would be empty: {reason}",
    help="{remedy}",
    exit=DATA,
)
BAD_SPLIT = Code(
    "NN497",
    "bad-split",
    "`{path}` is no split that can be used: {reason}",
    help="write it anew: nnlang data split RATINGS -o {path} --overwrite",
    exit=DATA,
)
UNFIT_LABEL = Code(
    "NN498",
    "unfit-label",
    "items whose names cannot stand in `user TAB item:item`: {count}, such as `{example}`",
    help="`:`, `,` and a line end part items there: replace them in the table first, for example by `;`",
    exit=DATA,
)
SUSPICIOUS = Code("NN499", "suspicious-data", "{what}: {count}{example}", severity="warning")
