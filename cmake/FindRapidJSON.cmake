# RapidJSON's own package of 1.1 has no target.
include(${CMAKE_CURRENT_LIST_DIR}/find_headers.cmake)
weft_find_headers(RapidJSON rapidjson/reader.h)
