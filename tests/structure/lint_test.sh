#!/usr/bin/env bash
# lint_test.sh LINT_PY WORK: what cmake/lint.py remembers and reports, over a clang-tidy that finds the word BAD.
set -euo pipefail
lint=$1 work=$2
rm -rf "$work"
mkdir -p "$work"/{comm,build}
cd "$work"
echo 'Checks: all' >.clang-tidy
printf '#include "comm/a.h"\nnamespace {\nint own(int x) { return x; }\n}  // namespace\n' >comm/a.cpp
printf 'namespace {\nint other(int x) { return x; }\n}  // namespace\n' >comm/b.cpp
printf 'namespace {\nlong own(long x) { return x; }\n}  // namespace\n' >comm/c.cpp
echo 'int shared();' >comm/a.h
cat >tidy <<'TIDY'
#!/usr/bin/env bash
[ "$1" = --version ] && { echo 'LLVM version 1'; exit; }
files=$(for word in "$@"; do case $word in --) break ;; */together.cpp) sed -n 's/^#include "\([^"]*\)".*/\1/p' "$word" ;; esac; done)
echo $(for file in $files; do basename "$file"; done) >>calls
for file in $files; do grep -n BAD "$file" | sed "s|^\([0-9]*\):.*|$file:\1:1: error: bad [word,-warnings-as-errors]|"; done
! grep -q BAD $files
TIDY
chmod +x tidy
{
  echo '['
  for name in a b c; do
    [ $name = a ] || echo ','
    echo "{\"directory\": \"$PWD/build\", \"file\": \"$PWD/comm/$name.cpp\", \"command\": \"c++ -I$PWD -o $name.o -c $PWD/comm/$name.cpp\"}"
  done
  echo ']'
} >build/compile_commands.json

run() {  # what it should end with, the files that should be looked at together, call by call
  : >calls
  local ended=0
  python3 "$lint" build ./tidy memory -j 1 >out 2>&1 || ended=$?
  [ $ended = "$1" ] || { echo "it ended with $ended, not $1:"; cat out; exit 1; }
  [ "$(sort calls | tr '\n' ',')" = "$2" ] || { echo "it looked at '$(sort calls | tr '\n' ',')', not at '$2'"; exit 1; }
}
run 0 'a.cpp,b.cpp c.cpp,'
run 0 ''
echo 'int changed();' >comm/a.h
run 0 'a.cpp,'
echo '// BAD' >>comm/b.cpp
run 1 'b.cpp,'
grep -q '^comm/b.cpp:4:1: bad \[word\]$' out || { cat out; exit 1; }
run 1 'b.cpp,'
echo 'Checks: others' >.clang-tidy
sed -i '$d' comm/b.cpp
run 0 'a.cpp,b.cpp c.cpp,'
cd / && rm -rf "$work"
