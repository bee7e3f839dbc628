#!/usr/bin/env bash
# nccl_failure_test.sh LAUNCHER RANKS FAILING: whatever happens to one of the processes, the job ends within 10 s, says
# which and what it did, and leaves no process behind. WEFT_REPEAT is the number of tries of each.
set -u
launcher=$1 ranks=$2 failing=$3 timeout_ms=1500 failures=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
WEFT_SECRET=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export WEFT_SECRET

# fail WHAT: reports a failure of the current try.
fail() {
  echo "FAILED: $fate${signal:+ $signal}, rank $culprit: $1; exit code $ended after $seconds s, said: $said"
  failures=$((failures + 1))
}

# try FATE CULPRIT SIGNAL CODE WORDS: sends the signal, if any, to the culprit; checks that all end with the code and
# a sentence that matches the pattern WORDS.
try() {
  local fate=$1 culprit=$2 signal=$3 code=$4 words=$5 job ended begin seconds said left=()
  rm -f "$folder"/*
  timeout -k 1 60 "$launcher" "$ranks" "$failing" "$folder" "$fate" "$culprit" $timeout_ms 2>"$folder/err" &
  job=$!
  for ((i = 0; i < 600; ++i)); do
    [[ $(find "$folder" -name '[0-9]' | wc -l) == "$ranks" ]] && break
    sleep 0.05
  done
  begin=$EPOCHREALTIME
  if [[ -n $signal ]]; then
    sleep 1
    begin=$EPOCHREALTIME
    kill "-$signal" "$(cat "$folder/$culprit")"
  fi
  wait $job
  ended=$?
  seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $begin }")
  for file in "$folder"/[0-9]; do
    kill -9 "$(cat "$file")" 2>/dev/null && left+=("${file##*/}")
  done
  # A stopped process cannot end by itself: launchers kill it.
  said=$(grep -v "process $(cat "$folder/$culprit") did not end" "$folder/err")
  [[ $fate == cut || $signal == STOP ]] || said=$(cat "$folder/err")
  if ((${#left[@]} > 0)); then
    fail "left behind ${left[*]}"
  elif [[ $said == *"did not end"* ]]; then
    fail "had to be killed"
  elif awk "BEGIN { exit !($seconds > 10) }"; then
    fail "took too long"
  elif [[ $code != any && $ended != "$code" ]]; then
    fail "the exit code is to be $code"
  elif [[ $said != $words ]]; then
    fail "that is not $words"
  else
    echo "passed: $fate${signal:+ $signal}, rank $culprit, $seconds s: ${said%%$'\n'*}"
  fi
}

for ((n = 0; n < ${WEFT_REPEAT:-1}; ++n)); do
  culprit=$(((n + ranks - 2) % ranks))
  named="*rank $culprit, *; the last it did was @(all_reduce|push) ulysses*"
  try none $culprit "" 0 ""
  try throw $culprit "" 1 "*rank $culprit, at all_reduce ulysses: boom*"
  try reject $culprit "" 2 "*steps is 0*"
  try fewer $culprit "" 2 "*has ended, and rank * asks for a request*"
  try memory $culprit "" 1 "*rank $culprit, at all_reduce ulysses: taking memory on the device failed*"
  try wait $culprit KILL any "${named/;/has died;}"
  try wait $culprit STOP any "${named/;/has not been heard of for 1.5 s;}"
  try cut $culprit "" any "${named/;/has not been heard of for 1.5 s;}"
done
exit $((failures > 0))
