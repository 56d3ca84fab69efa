#!/usr/bin/env bash
# How large the program is, and how much of that is the page: builds the release twice, the second time from a copy
# in which nothing leads to the page, and prints both sizes. Nothing is timed, so any machine gives the same numbers
# with the same compiler.
#
#   benches/size.sh [FOLDER]   where to build (target/size); some ten minutes on two cores the first time
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

readonly ROUTE='page::routes(Arc::clone(door)).boxed(),'
readonly WHOLE_AIM=12000000 PAGE_AIM=300000

folder=$(realpath -m "${1:-target/size}")
mkdir -p "$folder/without"
export CARGO_TARGET_DIR="$folder/target"

cargo build --release --locked --quiet --bin overdue
with=$(stat -c %s "$CARGO_TARGET_DIR/release/overdue")

cp -r Cargo.toml Cargo.lock src templates benches "$folder/without/"
grep -qF "$ROUTE" "$folder/without/src/http/mod.rs" || {
    echo "benches/size.sh: src/http/mod.rs does not have the line \"$ROUTE\" any more; name the new one here" >&2
    exit 1
}
sed -i "/^ *${ROUTE//./\\.}\$/d" "$folder/without/src/http/mod.rs"
# Code that nothing leads to is no news here.
RUSTFLAGS="${RUSTFLAGS:-}" cargo build --release --locked --quiet --bin overdue \
    --manifest-path "$folder/without/Cargo.toml" 2>"$folder/warnings"
without=$(stat -c %s "$CARGO_TARGET_DIR/release/overdue")

verdict() { if [ "$1" -le "$2" ]; then echo reached; else echo MISSED; fi; }
printf '%-24s %12s %12s\n' '' bytes aim
printf '%-24s %12d %12d  %s\n' 'the program, stripped' "$with" "$WHOLE_AIM" "$(verdict "$with" "$WHOLE_AIM")"
printf '%-24s %12d\n' 'without the page' "$without"
printf '%-24s %12d %12d  %s\n' 'the page' "$((with - without))" "$PAGE_AIM" "$(verdict "$((with - without))" "$PAGE_AIM")"
[ "$with" -le "$WHOLE_AIM" ] && [ "$((with - without))" -le "$PAGE_AIM" ]
