#!/usr/bin/env bash
# recipes_test.sh TRIREME RECIPES: every command of the recipes' README gives the line of figures that stands below it, and each plan fits.
# UPDATE=1 writes the figures anew.
set -euo pipefail
trireme=$(readlink -f "$1") recipes=$2
readme=$recipes/README.md
cd "$recipes/../.."
checked=0
while IFS= read -r command; do
  found=$(${command/#trireme/$trireme} 2>&1 | sed -n 2p | sed 's/ *$//') || true
  [[ $found == *tok* || $found == *%* ]] || { echo "$command does not fit: $found"; exit 1; }
  written=$(grep -A 1 -F -- "    $command" "$readme" | sed -n 2p | sed 's/^    //')
  if [ "${UPDATE:-0}" = 1 ]; then
    FOUND=$found COMMAND=$command python3 - "$readme" <<'PY'
import os, sys
lines = open(sys.argv[1]).read().split("\n")
at = lines.index("    " + os.environ["COMMAND"])
lines[at + 1] = "    " + os.environ["FOUND"]
open(sys.argv[1], "w").write("\n".join(lines))
PY
  elif [ "$found" != "$written" ]; then
    printf '%s\n  is written as %s\n  but gives     %s\n' "$command" "$written" "$found"
    exit 1
  fi
  checked=$((checked + 1))
done < <(sed -n 's/^    \(trireme plan .*\)$/\1/p' "$readme")
for recipe in "$recipes"/llama*.yaml; do
  grep -q "$(basename "$recipe")" "$readme" || { echo "the README does not speak of $(basename "$recipe")"; exit 1; }
  "$trireme" job check "$recipe" >/dev/null
done
[ "$checked" -ge 6 ] || { echo "only $checked recipes"; exit 1; }
