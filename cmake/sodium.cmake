# libsodium from its sources, without the machine-specific results of its own configuration.
enable_language(C)
weft_fetch(Sodium DEBIAN libsodium-dev GIT https://github.com/jedisct1/libsodium.git TAG 1.0.18
  COMMIT 45b09a607d596e40adbff9ab812e47d85175c053)

set(VERSION 1.0.18)
set(SODIUM_LIBRARY_VERSION_MAJOR 10)
set(SODIUM_LIBRARY_VERSION_MINOR 3)
set(SODIUM_LIBRARY_MINIMAL_DEF "")
set(folder ${Sodium_SOURCE}/src/libsodium)
set(include ${PROJECT_BINARY_DIR}/sodium/include)
file(COPY ${folder}/include DESTINATION ${PROJECT_BINARY_DIR}/sodium)
configure_file(${folder}/include/sodium/version.h.in ${include}/sodium/version.h @ONLY)
unset(VERSION)

file(GLOB_RECURSE sources ${folder}/*.c)
add_library(weft_sodium STATIC ${sources})
add_library(Sodium::Sodium ALIAS weft_sodium)
set_target_properties(weft_sodium PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
target_compile_definitions(weft_sodium PUBLIC SODIUM_STATIC PRIVATE CONFIGURED=1)
target_include_directories(weft_sodium SYSTEM PUBLIC ${include} PRIVATE ${include}/sodium)
target_link_libraries(weft_sodium PUBLIC Threads::Threads)
