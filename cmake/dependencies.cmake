# What weft needs: an installed package first. Otherwise a top-level build fetches the release that is pinned here,
# the one of Debian 12, and a consumer's build stops with the package to install.
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})

# weft_fetch(<name> DEBIAN <package> GIT <repository> TAG <tag> COMMIT <hash>): the sources alone, in ${<name>_SOURCE}.
# A tag can be moved, so the commit is what is fetched.
function(weft_fetch name)
  cmake_parse_arguments(PARSE_ARGV 1 pin "" "DEBIAN;GIT;TAG;COMMIT" "")
  if(NOT PROJECT_IS_TOP_LEVEL)
    message(FATAL_ERROR "weft needs ${name}: install Debian's ${pin_DEBIAN}, or name its folder in ${name}_ROOT.")
  endif()
  message(STATUS "No ${name} is installed (Debian: ${pin_DEBIAN}): fetching ${pin_TAG}")
  include(FetchContent)
  FetchContent_Declare(${name} GIT_REPOSITORY ${pin_GIT} GIT_TAG ${pin_COMMIT} SOURCE_SUBDIR none)
  FetchContent_MakeAvailable(${name})
  FetchContent_GetProperties(${name} SOURCE_DIR source)
  set(${name}_SOURCE ${source} PARENT_SCOPE)
endfunction()

# weft_headers(<target> <name> [MODULE] [VERSION <least>] [INCLUDE <folder>] <pin>...): a library of headers. MODULE: found
# by the module beside this file, also where a package's own files, which may lack the target, would be preferred.
function(weft_headers target name)
  cmake_parse_arguments(PARSE_ARGV 2 needed "MODULE" "VERSION;INCLUDE" "")
  if(NOT TARGET ${target})
    set(mode)
    if(needed_MODULE)
      set(mode MODULE)
    endif()
    find_package(${name} ${needed_VERSION} QUIET ${mode} GLOBAL)
  endif()
  if(NOT TARGET ${target})
    weft_fetch(${name} ${needed_UNPARSED_ARGUMENTS})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE ${${name}_SOURCE}/${needed_INCLUDE})
  endif()
endfunction()

if(NOT TARGET Threads::Threads)
  find_package(Threads REQUIRED GLOBAL)
endif()
weft_headers(Eigen3::Eigen Eigen3 VERSION 3.4
  DEBIAN libeigen3-dev GIT https://gitlab.com/libeigen/eigen.git TAG 3.4.0
    COMMIT 3147391d946bb4b6c68edd901f2add6ac1f31f8c)
weft_headers(Random123::Random123 Random123 MODULE INCLUDE include
  DEBIAN librandom123-dev GIT https://github.com/DEShawResearch/random123.git TAG v1.14.0
    COMMIT 726a093cd9a73f3ec3c8d7a70ff10ed8efec8d13)
weft_headers(RapidJSON::RapidJSON RapidJSON MODULE INCLUDE include
  DEBIAN rapidjson-dev GIT https://github.com/Tencent/rapidjson.git TAG v1.1.0
    COMMIT f54b0e47a08782a6131cc3d60f94d038fa6e0a51)

# For weft/comm/job alone. weft's own programs link it statically.
if(WEFT_MPI OR WEFT_BUILD_TESTS OR WEFT_BUILD_FUZZERS OR (WEFT_CUDA AND WEFT_BUILD_EXAMPLES))
  if(NOT TARGET Sodium::Sodium)
    set(Sodium_USE_STATIC_LIBS ${PROJECT_IS_TOP_LEVEL})
    find_package(Sodium QUIET MODULE)
  endif()
  if(NOT TARGET Sodium::Sodium)
    include(cmake/sodium.cmake)
  endif()
endif()

# For weft/text alone.
if(WEFT_TEXT OR WEFT_BUILD_TESTS OR WEFT_BUILD_EXAMPLES OR WEFT_BUILD_FUZZERS)
  if(NOT TARGET utf8proc::utf8proc)
    find_package(utf8proc QUIET MODULE)
  endif()
  if(NOT TARGET utf8proc::utf8proc)
    include(cmake/utf8proc.cmake)
  endif()
endif()

if(WEFT_BUILD_TESTS OR WEFT_BUILD_EXAMPLES)
  weft_headers(nlohmann_json::nlohmann_json nlohmann_json VERSION 3.11 INCLUDE include
    DEBIAN nlohmann-json3-dev GIT https://github.com/nlohmann/json.git TAG v3.11.2
    COMMIT bc889afb4c5bf1c0d8ee29ef35eaaf4c8bef8a5d)
endif()

if(WEFT_BUILD_TESTS)
  weft_headers(doctest::doctest doctest
    DEBIAN doctest-dev GIT https://github.com/doctest/doctest.git TAG v2.4.9
    COMMIT b7c21ec5ceeadb4951b00396fc1e4642dd347e5f)
endif()

if(WEFT_BUILD_EXAMPLES)
  weft_headers(CLI11::CLI11 CLI11 INCLUDE include
    DEBIAN libcli11-dev GIT https://github.com/CLIUtils/CLI11.git TAG v2.1.2
    COMMIT 70f8072f9dd2292fd0b9f9e5f58e279f60483ed3)
  find_package(PNG QUIET)
  if(NOT PNG_FOUND)
    include(cmake/png.cmake)
  endif()
endif()
