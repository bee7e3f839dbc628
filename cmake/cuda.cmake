# The flags and targets of weft's own CUDA programs; a consumer has none of them.
set(CMAKE_CUDA_ARCHITECTURES OFF)  # CMake 3.25 does not know all of them
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

set(WEFT_CUDA_ARCHITECTURES AUTO CACHE STRING "What programs and tests are compiled for: 90a is code for sm_90a, \
80-virtual is PTX that newer GPUs take too; AUTO is 80 and 90a, and for tests the GPUs of this machine")
include(${CMAKE_CURRENT_LIST_DIR}/architectures.cmake)

# weft_compile_for(<target> <architecture>...)
function(weft_compile_for target)
  foreach(architecture IN LISTS ARGN)
    string(REGEX MATCH "^[0-9]+[af]?" number ${architecture})
    set(code sm_${number})
    if(architecture MATCHES "-virtual$")
      set(code compute_${number})
    endif()
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-gencode arch=compute_${number},code=${code}>")
  endforeach()
endfunction()

add_library(weft_cuda INTERFACE)
target_link_libraries(weft_cuda INTERFACE weft::weft CUDA::cublasLt)
target_compile_options(weft_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20
  -Xcompiler=-Wall,-Wextra>)

find_package(NCCL 2.19 QUIET)
weft_option(WEFT_NCCL "Build what needs NCCL" NCCL_FOUND)
weft_need(WEFT_NCCL NCCL_FOUND "NCCL of 2.19 or newer, such as Debian's libnccl-dev or the folder NCCL_ROOT")
if(WEFT_NCCL)
  add_library(weft_nccl INTERFACE)
  target_link_libraries(weft_nccl INTERFACE weft_cuda weft_job NCCL::NCCL)
endif()
