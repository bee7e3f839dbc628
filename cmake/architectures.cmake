# program_architectures, test_architectures and attention_architectures: what is compiled for which GPUs. Each of them costs a
# unit half as much again, so tests are compiled for the GPUs they run on. Where there is none they are only compiled, for one
# architecture, but for two of attention, whose kernels differ between all.
set(WEFT_PROGRAM_ARCHITECTURES 80 90a CACHE STRING "Architectures of weft's own programs where WEFT_CUDA_ARCHITECTURES is AUTO")
set(program_architectures ${WEFT_CUDA_ARCHITECTURES})
set(test_architectures ${WEFT_CUDA_ARCHITECTURES})
set(attention_architectures ${WEFT_CUDA_ARCHITECTURES})
if(WEFT_CUDA_ARCHITECTURES STREQUAL "AUTO")
  set(program_architectures ${WEFT_PROGRAM_ARCHITECTURES})
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
    OUTPUT_VARIABLE capabilities ERROR_QUIET)
  if(capabilities MATCHES "^[0-9]+\\.[0-9]+\n")
    string(REGEX MATCHALL "[0-9]+\\.[0-9]+" test_architectures "${capabilities}")
    list(TRANSFORM test_architectures REPLACE "\\." "")
    list(TRANSFORM test_architectures REPLACE "^90$" "90a")
    list(REMOVE_DUPLICATES test_architectures)
    set(attention_architectures ${test_architectures})
  else()
    set(test_architectures 90a)
    set(attention_architectures 80 90a)
  endif()
endif()
