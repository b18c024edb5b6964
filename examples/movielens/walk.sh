#!/bin/sh
# From MovieLens 20M to recommendations, with DSSTNE's own commands.
#
#   examples/movielens/walk.sh                        download (about 190 MB), then everything below
#   examples/movielens/walk.sh ml-20m.zip             the same from a zip or a ratings.csv that you have
#   examples/movielens/walk.sh ratings.txt            from a file in DSSTNE's text form (user TAB movie,time:movie,time)
#   DEFINITION=tuned.json examples/movielens/walk.sh  another definition; its TrainingParameters count
set -eu
here=$(cd "$(dirname "$0")" && pwd)
definition=$here/${DEFINITION:-config.json}
mkdir -p movielens-walk
case "${1:-}" in
    '') nnlang data get ml-20m -o movielens-walk; csv=movielens-walk/ratings.csv ;;
    *.zip | *.csv) nnlang data get ml-20m --from "$1" -o movielens-walk; csv=movielens-walk/ratings.csv ;;
    *) csv=; cp "$1" movielens-walk/ratings ;;
esac
cd movielens-walk

# Rows of a CSV sorted by user become DSSTNE's text: the number behind a movie is a time, not a rating.
[ -z "$csv" ] || awk -F, '
    NR == 1 { next }
    $1 != user { if (user != "") print ""; user = $1; printf "%s\t", user; between = "" }
    { printf "%s%s,%s", between, $2, $4; between = ":" }
    END { print "" }' ratings.csv > ratings

nnlang generate -d gl_input -i ratings -o gl_input.nc -f features_input -s samples_input -c
nnlang generate -d gl_output -i ratings -o gl_output.nc -f features_output -s samples_input -c
rm -f gl.nc
if [ "${DEFINITION:-config.json}" = config.json ]; then
    nnlang train -c "$definition" -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10
else
    nnlang train -c "$definition" -i gl_input.nc -o gl_output.nc -n gl.nc
fi
nnlang predict -b 256 -d gl -i features_input -o features_output -k 10 -n gl.nc -f ratings -s recs -r ratings
head -n 3 recs
