# The flags and targets of weft's own CUDA programs; a consumer has none of them.
set(CMAKE_CUDA_ARCHITECTURES OFF)  # CMake 3.25 does not know all of them
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

set(WEFT_CUDA_ARCHITECTURES AUTO CACHE STRING "What programs and tests are compiled for: 90a is code for sm_90a, \
100a has attention of its own for B200, which has never run there, 80-virtual is PTX that newer GPUs take too; AUTO is 80 and 90a, and for tests the GPUs of this machine")
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

# weft_join_cuda(<target>): joins its CUDA sources where CMAKE_UNITY_BUILD asks for it, as CMake does from 3.31 on.
function(weft_join_cuda target)
  if(NOT CMAKE_UNITY_BUILD OR CMAKE_VERSION VERSION_GREATER_EQUAL 3.31)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cu$")
  set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY ON)
  set(number 0)
  while(sources)
    list(SUBLIST sources 0 8 batch)
    list(REMOVE_ITEM sources ${batch})
    set(code "")
    foreach(source IN LISTS batch)
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
      string(APPEND code "#include \"${source}\"\n")
    endforeach()
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/${target}_${number}.cu)
    file(CONFIGURE OUTPUT ${unit} CONTENT "${code}" @ONLY)
    target_sources(${target} PRIVATE ${unit})
    math(EXPR number "${number} + 1")
  endwhile()
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
