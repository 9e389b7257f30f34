#!/usr/bin/env bash
# report_page_test.sh TRIREME PYTHON_SCRIPT GOLDEN [PICTURE]: the report of a run of 100,000 steps on 1,000 ranks beside another one and one of four
# steps that really ran, drawn by a browser: its elements are there, the console says nothing, and the page stays small and fits narrow windows.
# PICTURE keeps what was drawn.
set -euo pipefail
trireme=$1 make_run=$2 golden=$3 picture=${4:-}
browser=
for name in "${BROWSER:-}" chromium-headless-shell chromium google-chrome "$HOME"/.cache/chromium-headless/*/chrome-headless-shell; do
  [ -n "$name" ] && browser=$(command -v "$name") && break
done
[ -n "$browser" ] || { echo "no browser (chromium-headless-shell) is here: skipped"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; exit 1; }
python3 "$make_run" "$dir/long" 100000 1000
python3 "$make_run" "$dir/short" 4000 16
"$trireme" plan llama-3-70b --nodes 16 --gpus-per-node 8 --gpu h100-80g placement=hpz gradient_checkpointing=true --gantt "$dir/long/trace.svg" >"$dir/plan" || true
[ -s "$dir/long/trace.svg" ] || fail "no planned picture: $(tail -n 2 "$dir/plan")"
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/real
sequence_len: 64
max_steps: 4
learning_rate: 0.0003
bf16: false
placement: zero3
YAML
OMP_NUM_THREADS=1 "$trireme" launch -n 2 -- train "$dir/job.yaml" >"$dir/train.log" 2>&1 || fail "no training: $(tail -n 2 "$dir/train.log")"
began=$(date +%s%N)
"$trireme" report "$dir/long" "$dir/short" "$dir/real" -o "$dir/page.html" >"$dir/said"
took=$((($(date +%s%N) - began) / 1000000))
size=$(stat -c %s "$dir/page.html")
[ "$size" -lt 1500000 ] || fail "the page has $size bytes"

draw() { timeout 100 "$browser" --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" --enable-logging=stderr --virtual-time-budget=5000 "$@" "file://$dir/page.html" 2>"$dir/console"; }
# A handler that fails would speak when the pointer moves over a chart, so a page with such a movement is drawn too.
sed -i 's|</body>|<script>document.querySelectorAll("svg[data-least]").forEach(function (svg) { svg.dispatchEvent(new PointerEvent("pointermove", {clientX: 300, clientY: 50})); });</script></body>|' "$dir/page.html"
draw --dump-dom >"$dir/dom" || fail "the browser failed: $(tail -n 3 "$dir/console")"
! grep -E 'CONSOLE' "$dir/console" || fail "the console is not silent"
count() { grep -o "$1" "$dir/dom" | wc -l; }
expect() { [ "$(count "$1")" -ge "$2" ] || fail "$(count "$1") of $1 instead of $2"; }
expect '<div class="card">' 3
expect '<polyline class="curve' 8
expect '<figure class="memory">' 2
expect '<figure class="gantt">' 2
expect 'measured rank 0: ' 1
expect 'foretold rank 0: ' 1
expect '<title>forward ' 2
expect 'id="events"' 1
expect 'id="environment"' 1
expect '<tr class="differs">' 1
expect 'class="readout">step [0-9]' 4
[ "$(count '<script>alert')" = 0 ] || fail "a job file's words became part of the page"
draw --window-size=1400,3600 --screenshot="$dir/page.png" || fail "no picture: $(tail -n 3 "$dir/console")"
[ "$(stat -c %s "$dir/page.png")" -gt 50000 ] || fail "the picture is empty"
[ -z "$picture" ] || cp "$dir/page.png" "$picture"
# On a narrow window nothing but what has its own scroll bar is wider than the window.
sed -i 's|</body>|<script>document.body.setAttribute("data-wide", document.documentElement.scrollWidth - window.innerWidth);</script></body>|' "$dir/page.html"
for width in 1400 700; do
  draw --window-size=$width,900 --dump-dom >"$dir/dom" || fail "the browser failed: $(tail -n 3 "$dir/console")"
  wide=$(sed -n 's/.*data-wide="\(-*[0-9]*\)".*/\1/p' "$dir/dom")
  [ -n "$wide" ] && [ "$wide" -le 0 ] || fail "at $width pixels the page is ${wide:-?} pixels too wide"
done
echo "$size bytes of page, made in $took ms, $(stat -c %s "$dir/page.png") of picture"
