# WEFT_VERSION: the version in include/weft/version.hpp.
set(header ${CMAKE_CURRENT_LIST_DIR}/../include/weft/version.hpp)
file(STRINGS ${header} WEFT_VERSION REGEX "^#define WEFT_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
list(TRANSFORM WEFT_VERSION REPLACE "^#define WEFT_VERSION_[A-Z]+ " "")
list(JOIN WEFT_VERSION "." WEFT_VERSION)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
