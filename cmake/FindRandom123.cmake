include(${CMAKE_CURRENT_LIST_DIR}/find_headers.cmake)
weft_find_headers(Random123 Random123/philox.h)
