# Says so where a project asks for no optimisation at all, CMake's default: the host's operators then take dozens of times
# as long, and a first image minutes.
get_property(weft_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT weft_multi_config AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CXX_FLAGS MATCHES "(^| )-O" AND NOT weft_FIND_QUIETLY)
  message(NOTICE "weft: this build has no CMAKE_BUILD_TYPE, so nothing is optimised, and the host computes dozens of times "
                 "slower; configure with -DCMAKE_BUILD_TYPE=Release.")
endif()
unset(weft_multi_config)
