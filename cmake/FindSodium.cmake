# Finds libsodium, as the target Sodium::Sodium; with Sodium_USE_STATIC_LIBS its static library, if there is one.
find_path(Sodium_INCLUDE_DIR sodium.h)
if(Sodium_USE_STATIC_LIBS)
  set(static_library libsodium.a)
endif()
find_library(Sodium_LIBRARY NAMES ${static_library} sodium)
mark_as_advanced(Sodium_INCLUDE_DIR Sodium_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Sodium REQUIRED_VARS Sodium_LIBRARY Sodium_INCLUDE_DIR)

if(Sodium_FOUND AND NOT TARGET Sodium::Sodium)
  add_library(Sodium::Sodium INTERFACE IMPORTED)
  target_include_directories(Sodium::Sodium INTERFACE ${Sodium_INCLUDE_DIR})
  target_link_libraries(Sodium::Sodium INTERFACE ${Sodium_LIBRARY})
endif()
