# libpng from its sources, with as much of zlib as it calls.
enable_language(C)
weft_fetch(zlib DEBIAN zlib1g-dev GIT https://github.com/madler/zlib.git TAG v1.2.13
  COMMIT 04f42ceca40f73e2978b50e93806c2a18c1281fc)
weft_fetch(libpng DEBIAN libpng-dev GIT https://github.com/pnggroup/libpng.git TAG v1.6.39
  COMMIT 07b8803110da160b158ebfef872627da6c85cbdf)

file(GLOB sources ${zlib_SOURCE}/*.c ${libpng_SOURCE}/png*.c)
list(FILTER sources EXCLUDE REGEX "/(gz[a-z]*|pngtest)\\.c$")
configure_file(${libpng_SOURCE}/scripts/pnglibconf.h.prebuilt ${PROJECT_BINARY_DIR}/png/pnglibconf.h COPYONLY)

add_library(weft_png STATIC ${sources})
add_library(PNG::PNG ALIAS weft_png)
set_target_properties(weft_png PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
target_include_directories(weft_png SYSTEM PUBLIC ${zlib_SOURCE} ${libpng_SOURCE} ${PROJECT_BINARY_DIR}/png)
target_compile_definitions(weft_png PRIVATE PNG_ARM_NEON_OPT=0 PNG_INTEL_SSE_OPT=0 PNG_POWERPC_VSX_OPT=0)
target_link_libraries(weft_png PUBLIC m)
