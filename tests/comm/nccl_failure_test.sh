#!/usr/bin/env bash
# nccl_failure_test.sh ON_ONE_GPU FAILING: whatever happens to one of the processes, the job ends within 10 s, says
# which and what it did, and leaves nobody behind. WEFT_REPEAT says how often each is tried.
set -u
on_one_gpu=$1 failing=$2 ranks=4 timeout_ms=1500 failures=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# try FATE CULPRIT SIGNAL CODE WORDS: the signal, if any, goes to the culprit; all end with the code and these words.
try() {
  local fate=$1 culprit=$2 signal=$3 code=$4 words=$5 job ended=124 said left=0
  rm -f "$folder"/*
  timeout -k 1 60 "$on_one_gpu" $ranks "$failing" "$folder" "$fate" "$culprit" $timeout_ms 2>"$folder/err" &
  job=$!
  for ((i = 0; i < 600; ++i)); do
    [[ $(find "$folder" -name '[0-9]' | wc -l) == "$ranks" ]] && break
    sleep 0.05
  done
  sleep 1
  [[ -z $signal ]] || kill "-$signal" "$(cat "$folder/$culprit")"
  for ((i = 0; i < 200; ++i)); do
    kill -0 $job 2>/dev/null || break
    sleep 0.05
  done
  for file in "$folder"/[0-9]; do
    # A stopped process cannot end by itself; launchers kill it.
    kill -9 "$(cat "$file")" 2>/dev/null && [[ $signal != STOP || ${file##*/} != "$culprit" ]] && left=1
  done
  wait $job
  ended=$?
  said=$(cat "$folder/err")
  if [[ ($code != any && $ended != "$code") || $left == 1 || $said != *"$words"* ]]; then
    echo "FAILED: $fate, rank $culprit: exit code $ended, left behind: $left, said: $said"
    failures=$((failures + 1))
  else
    echo "passed: $fate $signal, rank $culprit: $(head -n 1 "$folder/err")"
  fi
}

for ((n = 0; n < ${WEFT_REPEAT:-1}; ++n)); do
  culprit=$(((n + 2) % ranks))
  try none $culprit "" 0 ""
  try throw $culprit "" 1 "rank $culprit, at all_reduce ulysses: boom"
  try refuse $culprit "" 2 "steps is 0"
  try memory $culprit "" 1 "rank $culprit, at all_reduce ulysses: Taking memory on the device failed"
  try wait $culprit KILL any "rank $culprit"
  try wait $culprit STOP any "rank $culprit"
done
exit $((failures > 0))
