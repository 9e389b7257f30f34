#!/usr/bin/env bash
# report_page_test.sh TRIREME PYTHON_SCRIPT [PICTURE]: the report of a run of 100,000 steps on 1,000 ranks beside another one, drawn by a browser: its
# elements are there, the console says nothing, and the page stays small. PICTURE keeps what was drawn.
set -euo pipefail
trireme=$1 make_run=$2 picture=${3:-}
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
"$trireme" report "$dir/long" "$dir/short" -o "$dir/page.html" >"$dir/said"
size=$(stat -c %s "$dir/page.html")
[ "$size" -lt 3000000 ] || fail "the page has $size bytes"

draw() { timeout 100 "$browser" --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" --enable-logging=stderr --virtual-time-budget=5000 "$@" "file://$dir/page.html" 2>"$dir/console"; }
# A handler that fails would speak when the pointer moves over a chart, so a page with such a movement is drawn too.
sed -i 's|</body>|<script>document.querySelectorAll("svg[data-least]").forEach(function (svg) { svg.dispatchEvent(new PointerEvent("pointermove", {clientX: 300, clientY: 50})); });</script></body>|' "$dir/page.html"
draw --dump-dom >"$dir/dom" || fail "the browser failed: $(tail -n 3 "$dir/console")"
! grep -E 'CONSOLE' "$dir/console" || fail "the console is not silent"
count() { grep -o "$1" "$dir/dom" | wc -l; }
expect() { [ "$(count "$1")" -ge "$2" ] || fail "$(count "$1") of $1 instead of $2"; }
expect '<div class="card">' 2
expect '<polyline class="curve' 8
expect '<figure class="memory">' 2
expect '<figure class="gantt">' 1
expect 'id="events"' 1
expect 'id="environment"' 1
expect '<tr class="differs">' 1
expect 'class="readout">step [0-9]' 4
[ "$(count '<script>alert')" = 0 ] || fail "a job file's words became part of the page"
draw --window-size=1400,3600 --screenshot="$dir/page.png" || fail "no picture: $(tail -n 3 "$dir/console")"
[ "$(stat -c %s "$dir/page.png")" -gt 50000 ] || fail "the picture is empty"
[ -z "$picture" ] || cp "$dir/page.png" "$picture"
echo "$size bytes of page, $(stat -c %s "$dir/page.png") of picture"
