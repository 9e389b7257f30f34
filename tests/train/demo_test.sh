#!/usr/bin/env bash
# demo_test.sh TRIREME ROOT: the demo, shortened, ends well and leaves what it promises; the curve falls.
set -euo pipefail
trireme=$1 root=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
TRIREME_DEMO_DIR=$dir/demo TRIREME_DEMO_STEPS=30 "$root/demo/run.sh" "$trireme" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
fail() { echo "$1"; tail -n 60 "$dir/log"; exit 1; }
grep -q 'worst relative difference' "$dir/log" || fail "the comparison with PyTorch is missing"
losses() { sed 's/.*"loss": *\([-0-9.e+]*\), "tokens.*/\1/' "$dir/demo/$1/metrics.jsonl"; }
losses stories | awk 'NR == 1 { first = $1 } { last = $1 } END { print "stories", first, last; exit !(NR == 30 && last < first / 2) }' || fail "the loss of the stories did not fall"
losses instructions | awk 'NR == 1 { first = $1 } { last = $1 } END { print "instructions", first, last; exit !(NR == 20 && last < first) }' || fail "the loss of the instructions did not fall"
for file in stories/export-hf/model.safetensors instructions/export-peft/adapter_model.safetensors; do
  [ -s "$dir/demo/$file" ] || fail "there is no $file"
done
# One before and one after for each of two tasks, and they differ.
[ "$(grep -c '^  > ' "$dir/demo/before.txt")" = 2 ] && [ "$(grep -c '^  > ' "$dir/demo/after.txt")" = 2 ] || fail "the samples are missing"
! cmp -s "$dir/demo/before.txt" "$dir/demo/after.txt" || fail "tuning changed nothing"
python3 - "$dir/demo/report.html" <<'PYTHON' || fail "the report is not one whole page"
import sys, xml.etree.ElementTree as tree
page = open(sys.argv[1]).read()
tree.fromstring(page[page.index("<html"):])
assert "Loss" in page and "<svg" in page and 'src="http' not in page
PYTHON
