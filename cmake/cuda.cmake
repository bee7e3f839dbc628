# How weft's own CUDA programs are compiled; a consumer sees none of it.
set(CMAKE_CUDA_ARCHITECTURES OFF)  # CMake 3.25 does not know all of them
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

set(WEFT_CUDA_ARCHITECTURES "80;90a" CACHE STRING
  "What programs are compiled for: 90a is code for sm_90a, 80-virtual is PTX that newer GPUs take too")
set(generate)
foreach(architecture IN LISTS WEFT_CUDA_ARCHITECTURES)
  string(REGEX MATCH "^[0-9]+[af]?" number ${architecture})
  string(REGEX MATCH "-virtual$" virtual "${architecture}")
  if(virtual)
    list(APPEND generate "SHELL:-gencode arch=compute_${number},code=compute_${number}")
  else()
    list(APPEND generate "SHELL:-gencode arch=compute_${number},code=sm_${number}")
  endif()
endforeach()

add_library(weft_cuda INTERFACE)
target_link_libraries(weft_cuda INTERFACE weft::weft CUDA::cublasLt CUDA::cuda_driver)
target_compile_options(weft_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 ${generate}
  -diag-suppress=20012,20015  # of Eigen's own functions
  -Xcompiler=-Wall,-Wextra>)

find_package(NCCL 2.19 QUIET)
weft_option(WEFT_NCCL "Build what needs NCCL" NCCL_FOUND)
weft_need(WEFT_NCCL NCCL_FOUND "NCCL of 2.19 or newer, such as Debian's libnccl-dev or the folder NCCL_ROOT")
if(WEFT_NCCL)
  find_package(NCCL 2.19 REQUIRED)
  add_library(weft_nccl INTERFACE)
  target_link_libraries(weft_nccl INTERFACE weft_cuda NCCL::NCCL)
endif()
