# usage: cmake -DSOURCE=... -DBINARY=... -DHAS=<options that are ON where all is found> -DASKED=<what the user set> -P options.cmake
# An option that a configure turned OFF because a package was missing is decided anew by the next; one that the user sets is
# obeyed or rejected.
cmake_minimum_required(VERSION 3.24)

set(all WEFT_MPI WEFT_CUDA WEFT_NCCL)
set(hidden -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON -DCMAKE_DISABLE_FIND_PACKAGE_NCCL=ON)

# configure(<expected result> <expected text> <argument>...)
function(configure result text)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -DWEFT_BUILD_TESTS=OFF ${ARGN}
    OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE code)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if((code EQUAL 0 AND result STREQUAL "rejected") OR (NOT code EQUAL 0 AND result STREQUAL "done")
     OR NOT output MATCHES "${text}")
    message(FATAL_ERROR "configuring with ${ARGN} should be ${result} and print \"${text}\":\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${BINARY})
configure(done "WEFT_MPI OFF" ${hidden})
configure(rejected "WEFT_MPI is ON, and there is no MPI" ${hidden} -DWEFT_MPI=ON)
configure(rejected "WEFT_MPI is perhaps and must be ON, OFF or AUTO" -DWEFT_MPI=perhaps)
configure(done "WEFT_MPI OFF" ${hidden} -DWEFT_MPI=AUTO)
list(TRANSFORM hidden REPLACE "=ON" "=OFF")
foreach(option IN LISTS all)
  set(state OFF)
  if(option IN_LIST HAS)
    set(state ON)
  endif()
  configure(done "${option} ${state}" ${hidden} ${ASKED})
endforeach()
configure(rejected "WEFT_DTYPES has fp4; there are fp32, fp16, bf16 and fp8" -DWEFT_DTYPES=fp4)
configure(done "WEFT_MPI OFF" -DWEFT_MPI=OFF -DWEFT_DTYPES=fp8)
