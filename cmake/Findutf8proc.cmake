# Finds utf8proc, as the target utf8proc::utf8proc.
find_path(utf8proc_INCLUDE_DIR utf8proc.h)
find_library(utf8proc_LIBRARY utf8proc)
mark_as_advanced(utf8proc_INCLUDE_DIR utf8proc_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(utf8proc REQUIRED_VARS utf8proc_LIBRARY utf8proc_INCLUDE_DIR)

if(utf8proc_FOUND AND NOT TARGET utf8proc::utf8proc)
  add_library(utf8proc::utf8proc INTERFACE IMPORTED GLOBAL)
  target_include_directories(utf8proc::utf8proc INTERFACE ${utf8proc_INCLUDE_DIR})
  target_link_libraries(utf8proc::utf8proc INTERFACE ${utf8proc_LIBRARY})
endif()
