#!/usr/bin/env bash
# starter_and_manual_test.sh TRIREME: each starter job is a sound job, the manual names every command and is sound roff, and bash completes commands,
# what is below them, and options.
set -euo pipefail
trireme=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; exit 1; }
for kind in lora qlora full; do
  "$trireme" job init "$kind" >"$dir/$kind.yaml"
  "$trireme" job check "$dir/$kind.yaml" >"$dir/said" 2>&1 || fail "$kind: $(cat "$dir/said")"
  ! grep -qE ' # $' "$dir/$kind.yaml" || fail "$kind: a key without its meaning"
done
status=0
"$trireme" job init dpo >"$dir/said" 2>&1 || status=$?
[ "$status" = 64 ] && grep -q 'there are lora, qlora, full' "$dir/said" || fail "an unknown kind: $status, $(cat "$dir/said")"

"$trireme" man >"$dir/trireme.1"
for command in train launch submit status logs watch cancel requeue report plan doctor "job check" "checkpoint verify"; do
  grep -qxF ".SS $command" "$dir/trireme.1" || fail "the manual lacks $command"
done
if command -v groff >/dev/null; then
  groff -Kutf8 -man -Tutf8 -ww "$dir/trireme.1" >"$dir/page" 2>"$dir/said"
  [ ! -s "$dir/said" ] || fail "groff complains: $(head -n 3 "$dir/said")"
fi

complete_words() {
  bash -c 'eval "$("$1" completion bash)"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _trireme; echo "${COMPREPLY[@]}"' bash "$trireme" "$@"
}
[ "$(complete_words trireme subm)" = submit ] || fail "subm: $(complete_words trireme subm)"
[[ " $(complete_words trireme job "") " == *" schema "* ]] || fail "job: $(complete_words trireme job "")"
[[ " $(complete_words trireme submit --ti) " == *" --time "* ]] || fail "--ti: $(complete_words trireme submit --ti)"
cd "$dir"
[ "$(complete_words trireme train qlo)" = qlora.yaml ] || fail "no files: $(complete_words trireme train qlo)"
