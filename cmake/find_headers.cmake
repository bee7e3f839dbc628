# weft_find_headers(<name> <header>): for a Find module of headers alone, as the target <name>::<name>.
include(FindPackageHandleStandardArgs)

macro(weft_find_headers name header)
  find_path(${name}_INCLUDE_DIR ${header})
  mark_as_advanced(${name}_INCLUDE_DIR)
  find_package_handle_standard_args(${name} REQUIRED_VARS ${name}_INCLUDE_DIR)
  if(${name}_FOUND AND NOT TARGET ${name}::${name})
    add_library(${name}::${name} INTERFACE IMPORTED)
    target_include_directories(${name}::${name} INTERFACE ${${name}_INCLUDE_DIR})
  endif()
endmacro()
