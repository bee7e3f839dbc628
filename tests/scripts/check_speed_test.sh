#!/usr/bin/env bash
# usage: check_speed_test.sh SOURCE_DIR PYTHON
# scripts/check-speed with a command that says what it is told to have measured.
set -u
source=$1 python=$2
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failures=0

cat > "$folder/weft" << 'WEFT'
#!/bin/sh
for last; do :; done
ms=$(head -n 1 "$TIMES")
sed -i 1d "$TIMES"
printf '{"device": "A GPU", "sizes": [{"px": 1024, "ms": %s}]}' "$ms" > "$last"
WEFT
chmod +x "$folder/weft"
printf '{"device": "A GPU", "ms": {"--arch flux-dev": {"1024": 100}}}' > "$folder/release.json"

# ends CODE TEXT "TIME..." [ARGUMENT...]: the run ends with CODE and says TEXT, where bench measures the times in turn.
ends() {
  local wanted=$1 text=$2 said code
  printf '%s\n' $3 > "$folder/times"
  shift 3
  said=$(TIMES=$folder/times "$python" -I "$source/scripts/check-speed" "$@" 2>&1)
  code=$?
  [[ $code -eq $wanted && $said == *"$text"* ]] && return
  printf 'check-speed %s ended with code %s and said\n%s\nand not "%s"\n' "$*" "$code" "$said" "$text"
  failures=1
}

ends 0 '1024 px: 102.00 ms +2.0 %' 102 "$folder/weft" "$folder/release.json"
ends 0 '1024 px: 101.00 ms +1.0 %' '109 101' "$folder/weft" "$folder/release.json"
ends 1 '1024 px: 104.00 ms, 100.00 in the release' '104 105' "$folder/weft" "$folder/release.json"
sed 's/A GPU/Another/' "$folder/release.json" > "$folder/other.json"
ends 2 'this GPU is A GPU, and' 100 "$folder/weft" "$folder/other.json"
ends 2 'cannot be run' 100 "$folder/none" "$folder/release.json"
ends 2 'cannot be read' 100 "$folder/weft" "$folder/none.json"
ends 2 'usage: check-speed' 100
ends 0 '1024 px: 90.00 ms' 90 --record "$folder/weft" "$folder/other.json"
ends 0 '1024 px: 92.00 ms +2.2 %' 92 "$folder/weft" "$folder/other.json"
exit $failures
