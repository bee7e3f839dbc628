#!/usr/bin/env bash
# usage: comparisons_test.sh SOURCE_DIR PYTHON
# What the comparisons with diffusers reject before they compute: in one sentence each, with exit code 2. Without the packages of
# the machine, so that diffusers is missing everywhere.
set -u
source=$1 python=$2
model=$source/tests/goldens/pipelines/sd3/model
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failures=0

# rejects TEXT SCRIPT [ARGUMENT...]
rejects() {
  local text=$1 script=$source/scripts/$2 said code
  shift 2
  said=$("$python" -I -S "$script" "$@" 2>&1 < /dev/null)
  code=$?
  [[ $code -eq 2 && $said == *"$text"* && $said != *$'\n'* ]] && return
  printf '%s %s ended with code %s and said\n%s\nand not only "%s"\n' "$script" "$*" "$code" "$said" "$text"
  failures=1
}

images=compare_images_with_diffusers.py
rejects "No module named 'torch'; install torch, diffusers, transformers and safetensors" $images "$model" --command true
rejects 'there is no program nothing; build it' $images "$model" --command nothing
rejects "model_index.json cannot be read" $images "$source" --command true
rejects 'the host computes in fp32; give --dtypes fp32' $images "$model" --command true --backend host --dtypes bf16
printf '{"_class_name": "LuminaPipeline"}' > "$folder/model_index.json"
rejects 'names LuminaPipeline, and weft runs HunyuanDiTPipeline, PixArtAlphaPipeline' $images "$folder" --command true
rejects "; install torch, diffusers and safetensors" compare_with_diffusers.py
rejects "; install torch, diffusers, transformers and safetensors" compare_random_with_diffusers.py
exit $failures
