# How weft's own examples and tests are compiled; a consumer sees none of it.
add_library(weft_development INTERFACE)
target_link_libraries(weft_development INTERFACE weft::weft)
set(options -Wall -Wextra -Wpedantic -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps in every std::string, and uninitialised numbers in its own AVX-512 intrinsics.
  list(APPEND options -Wno-restrict -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(WEFT_NATIVE)
  list(APPEND options -march=native)
endif()
target_compile_options(weft_development INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${options}>")
