#!/usr/bin/env bash
# tests/arrows.sh [CHECKOUT]: fails when a file includes a header of a folder that is not below its own.
# Before it judges the checkout it judges small trees with a known verdict, so that it is known to be able to fail.
set -u

# One row per folder: the folders it may include, itself first (ARCHITECTURE.md, the arrows).
arrows="base: base
dns: dns base
geo: geo base
net: net dns base
authority: authority net dns base
gslb: gslb authority geo net dns base
resolver: resolver net dns base
config: config base
daemon: daemon gslb authority resolver config geo net dns base
lab: lab daemon gslb authority resolver config geo net dns base
cli: cli lab daemon gslb authority resolver config geo net dns base"

# upward TREE: prints each wrong include as file:line, returns 1 when there is one.
upward() {
    (
        cd "$1" || exit 2
        for folder in base dns geo net authority gslb resolver config daemon lab cli; do
            for file in "$folder"/*.[ch] include/"$folder"/*.h; do
                [ ! -f "$file" ] || awk -v arrows="$arrows" -v folder="$folder" '
                    function judge(path, at, top) {
                        at = index(path, "/")
                        if (at == 0) # the private header beside its source
                            return path ~ /_priv\.h$/ ? "" : "has no folder and is no _priv.h"
                        top = substr(path, 1, at - 1)
                        if (top == "..")
                            return "leaves its folder"
                        return (top in allowed) ? "" : folder " must not know " top
                    }
                    BEGIN {
                        rows = split(arrows, row, "\n")
                        for (i = 1; i <= rows; i++) {
                            words = split(row[i], word, /:? /)
                            for (j = 2; j <= words && word[1] == folder; j++)
                                allowed[word[j]] = 1
                        }
                    }
                    /^[ \t]*#[ \t]*include[ \t]*"/ {
                        split($0, part, "\"")
                        wrong = judge(part[2])
                        if (wrong != "") {
                            printf "%s:%d: \"%s\": %s\n", FILENAME, FNR, part[2], wrong
                            bad = 1
                        }
                    }
                    END { exit bad }' "$file" || bad=1
            done
        done
        exit "${bad:-0}"
    )
}

# label | file | include line | 0 fine, 1 upward
rows='own header|dns/name.c|#include "dns/name.h"|0
downward|resolver/walk.c|#include "net/loop.h"|0
downward over two|authority/zone.c|#include "base/err.h"|0
private header beside it|dns/name.c|#include "name_priv.h"|0
a verb knows all|cli/trace.c|#include "resolver/walk.h"|0
system header|base/err.c|#include <uv.h>|0
upward by one|dns/name.c|#include "net/loop.h"|1
upward from a header|include/base/err.h|#include "dns/name.h"|1
upward with blanks|base/err.c|  #  include "dns/name.h"|1
the two halves do not meet|resolver/walk.c|#include "authority/zone.h"|1
nor the other way|authority/zone.c|#include "resolver/walk.h"|1
steering is above|authority/zone.c|#include "gslb/pool.h"|1
configuration knows no DNS|config/table.c|#include "dns/name.h"|1
nobody calls a verb|lab/tour.c|#include "cli/trace.h"|1
around the side|dns/name.c|#include "../net/loop_priv.h"|1
no folder named|dns/name.c|#include "name.h"|1
unknown folder|dns/name.c|#include "util/all.h"|1'

scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
status=0
number=0
while IFS='|' read -r label file line expected; do
    number=$((number + 1))
    tree=$scratch/$number
    mkdir -p "$tree/$(dirname "$file")"
    printf '/* a file */\n%s\n' "$line" >"$tree/$file"
    upward "$tree" >/dev/null
    got=$?
    if [ "$got" != "$expected" ]; then
        echo "arrows: row \"$label\": $file with $line gave $got, not $expected"
        status=1
    fi
done <<<"$rows"

checkout=${1:-$(dirname "${BASH_SOURCE[0]}")/..}
upward "$checkout" || status=1
[ "$status" != 0 ] || echo "arrows: $number rows and the checkout agree"
exit "$status"
