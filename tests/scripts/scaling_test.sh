#!/usr/bin/env bash
# usage: scaling_test.sh SOURCE_DIR PYTHON
# scripts/scaling with stand-ins for nvidia-smi and for the command, which takes 80 ms on one GPU and 20 on any mesh of four.
set -u
source=$1 python=$2
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failures=0
unset CUDA_VISIBLE_DEVICES WEFT_GPUS

cat > "$folder/nvidia-smi" << 'SMI'
#!/bin/sh
seq "$GPUS"
SMI
cat > "$folder/weft" << 'WEFT'
#!/bin/sh
echo "${RANK-} $*" >> "$CALLS"
[ "${RANK:-0}" = 0 ] || exit 0
case $* in
*"--ranks 1 "*) ms=80 ;;
*"--ring 4"*) echo 'weft: this ring is too long' >&2; exit 2 ;;
*) ms=20 ;;
esac
for last; do :; done
printf '{"device": "A GPU", "sizes": [{"px": 512, "ms": %s}, {"px": 1024, "ms": %s.5}]}' "$ms" "$ms" > "$last"
WEFT
chmod +x "$folder/nvidia-smi" "$folder/weft"
export GPUS=4 CALLS=$folder/calls PATH="$folder:$PATH"

# ends CODE TEXT [ARGUMENT...]: the run ends with CODE and says TEXT.
ends() {
  local wanted=$1 text=$2 code
  shift 2
  : > "$CALLS"
  said=$("$python" -I "$source/scripts/scaling" "$@" 2>&1)
  code=$?
  [[ $code -eq $wanted && $said == *"$text"* ]] && return
  printf 'scaling %s ended with code %s and said\n%s\nand not "%s"\n' "$*" "$code" "$said" "$text"
  failures=1
}
# calls COUNT: the command was started so many times.
calls() {
  [[ $(wc -l < "$CALLS") -eq $1 ]] && return
  printf 'the command was started %s times and not %s:\n%s\n' "$(wc -l < "$CALLS")" "$1" "$(cat "$CALLS")"
  failures=1
}

ends 0 'hunyuan-v1.2, bf16, 4 GPUs, A GPU' "$folder/weft" 512 1024
calls 10
[[ $said == *'| cfg2·pipefusion2 | 20.00 (4.00) | 20.50 (3.93) |'* && $said == *'| ring4 | weft: this ring is too long | |'* ]] ||
  { echo "$said"; failures=1; }
ends 0 '| ulysses2·ring2 | 20.00' --arch flux-dev "$folder/weft" 512 1024  # no branches of guidance
calls 7
ends 0 '4 GPUs' --nccl --json "$folder/out.json" "$folder/weft"
calls 37  # one alone, nine meshes of four processes
[[ $(cat "$folder/out.json") == *'"mesh": "pipefusion4"'* ]] || { cat "$folder/out.json"; failures=1; }
ends 0 '2 GPUs' --gpus 2 "$folder/weft"
calls 5
CUDA_VISIBLE_DEVICES=2,3 ends 0 '2 GPUs' "$folder/weft"
ends 2 '--gpus is 8, and 4 are visible; give 1 to 4' --gpus 8 "$folder/weft"
GPUS=0 ends 2 'no GPU is visible' "$folder/weft"
ends 2 'cannot be run: No such file' "$folder/none"
exit $failures
