# shellcheck shell=bash
# timed WHAT COMMAND...: runs the command, prints how long it took and leaves that in $milliseconds.
timed() {
  local what=$1 begin=${EPOCHREALTIME//[^0-9]/}
  shift
  "$@"
  milliseconds=$(((${EPOCHREALTIME//[^0-9]/} - begin) / 1000))
  printf '%s: %d.%d s\n' "$what" $((milliseconds / 1000)) $((milliseconds % 1000 / 100))
}
