# The flags of weft's own examples and tests; a consumer has none of them.
# Without its vector types, which weft has no use for, Random123 does not include the compiler's intrinsics: a second a unit.
add_compile_definitions(R123_USE_SSE=0)
add_library(weft_development INTERFACE)
target_link_libraries(weft_development INTERFACE weft::weft)
set(options -Wall -Wextra -Wpedantic -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 falsely warns of overlaps in std::string, and of uninitialised numbers in its own AVX-512 intrinsics.
  list(APPEND options -Wno-restrict -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(WEFT_NATIVE)
  list(APPEND options -march=native)
endif()
target_compile_options(weft_development INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${options}>")
