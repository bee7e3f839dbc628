#!/usr/bin/env bash
# usage: sm100_code_test.sh NVCC ARGUMENT...
# Compiles attention for sm_100a, which no GPU here runs, and checks its code: it uses tensor memory and nothing older
# for products, and no registers are spilled.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
object=$(mktemp --suffix=.o)
trap 'rm -f "$object"' EXIT

log=$("$@" -O3 -DNDEBUG -gencode 'arch=compute_100a,code=[compute_100a,sm_100a]' --no-compress -Xptxas -v \
  -c "$here/sm100_code.cu" -o "$object" 2>&1) || { echo "$log"; exit 1; }

failures=0
# check WHAT HOLDS: tells what does not hold
check() {
  if ! eval "$2"; then
    echo "not so: $1"
    failures=1
  fi
}

of_attention=$(grep -A 3 'Compiling entry.*sm1006attend' <<<"$log")
check 'there are kernels with and without a mask for two dimensions of heads' \
  '[[ $(grep -c "Compiling entry" <<<"$of_attention") == 4 ]]'
check 'no register is spilled' '! grep "spill stores" <<<"$of_attention" | grep -v " 0 bytes spill stores"'

for instruction in tcgen05.alloc tcgen05.dealloc 'tcgen05.mma.cta_group::1.kind::f16' tcgen05.commit tcgen05.ld \
  tcgen05.st tcgen05.wait::ld tcgen05.wait::st tcgen05.fence::before_thread_sync tcgen05.fence::after_thread_sync; do
  check "the code has $instruction" 'grep -aqF "$instruction" "$object"'
done
check 'the code has no products in registers' '! grep -aqE "wgmma|mma\.sync" "$object"'
exit $failures
