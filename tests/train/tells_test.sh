#!/usr/bin/env bash
# tells_test.sh TRIREME GOLDEN: what a run that was stopped and went on tells of itself: status, logs, watch, and a report that XML parsers read.
. "${0%/*}/runs.sh"
fail() { echo "$1"; tail -n 5 "$dir"/out* "$dir"/run.log || true; exit 1; }
reference_job <<YAML
output_dir: $dir/run
max_steps: 300
learning_rate: 0.0003
bf16: false
YAML
"$trireme" launch -n 2 --run-folder "$dir/run" -- train "$dir/job.yaml" >"$dir/run.log" 2>&1 & launcher=$!
"$trireme" watch --plain "$dir/job.yaml" >"$dir/out.early" 2>&1 && fail "a run that has not begun was watched"
for _ in $(seq 200); do [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge 5 ] && break; sleep 0.05; done
"$trireme" watch "$dir/run" >"$dir/out.watch" & watcher=$!
kill -TERM $launcher
code=0; wait $launcher || code=$?
[ "$code" = 75 ] || fail "a run that was asked to stop ended with $code"
wait $watcher || fail "watch did not end with the run"
grep -q '^step 5/300  loss' "$dir/out.watch" && grep -q '^stopped: a signal' "$dir/out.watch" || fail "watch did not tell of the steps and the end"
"$trireme" launch -n 2 -- train "$dir/job.yaml" max_steps=310 >"$dir/run.log" 2>&1 || fail "the run did not go on"
[ "$(stat -c %a "$dir/run")" = 700 ] || fail "others may read the run folder"

"$trireme" status "$dir/run" >"$dir/out.status"
for words in ': done, step 310/310' 'start at step 0: 2 ranks on 1 nodes' 'stopped at step' 'resume at step' 'save at step 310'; do
  grep -q "$words" "$dir/out.status" || fail "status lacks '$words'"
done
"$trireme" watch --once "$dir/run" | grep -q 'step 310 of 310' || fail "the picture lacks the step"
"$trireme" logs "$dir/run" | grep -q 'goes on after step' || fail "the first rank's log lacks the resume"
# A step of every start is recorded over the foretold one, unless the job says no.
grep -q 'measured rank 0' "$dir/run/trace.svg" && grep -q 'foretold rank 0' "$dir/run/trace.svg" || fail "no step was recorded"
grep -q '"measured rank 0"' "$dir/run/trace.json" || fail "the recorded step has no trace"
"$trireme" train "$dir/job.yaml" max_steps=3 record_step=0 output_dir="$dir/plain" >"$dir/out.plain" 2>&1 || fail "a run without a record failed"
[ ! -e "$dir/plain/trace.svg" ] || fail "a step was recorded that nobody wanted"
"$trireme" report "$dir/run" "$dir/run" -o "$dir/both.html" >/dev/null
"$trireme" report "$dir/run" >"$dir/out.report"
[ "$(cat "$dir/out.report")" = "$dir/run/report.html" ] || fail "the report is elsewhere"
if command -v python3 >/dev/null; then
  python3 - "$dir/run/report.html" "$dir/both.html" <<'PYTHON' || fail "a report is not well-formed"
import sys, xml.etree.ElementTree as tree
for page in sys.argv[1:]:
    root = tree.parse(page).getroot()
    space = "{http://www.w3.org/1999/xhtml}"
    charts = root.findall(f".//{space}svg")
    assert len(charts) == 5, len(charts)
    assert all(line.get("points") for chart in charts for line in chart.findall(f"{space}polyline"))
    assert root.find(f".//{space}table[@id='events']") is not None
    assert root.find(f".//{space}figure[@class='gantt']") is not None
PYTHON
fi
for word in 12x "$dir/absent"; do "$trireme" status "$word" >"$dir/out.bad" 2>&1 && fail "$word has a status"; done
grep -q 'neither a run folder' "$dir/out.bad" || fail "the refusal does not say what was expected"
