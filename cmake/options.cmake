# weft_option(<option> <help> <found>): a part of weft that is ON, OFF or AUTO, which is ON where <found> is.
# AUTO, the default, is decided anew by every configure; the cache keeps only what the user set.
macro(weft_option option help found)
  set(${option} AUTO CACHE STRING "${help}: ON, OFF, or AUTO (where its packages are)")
  set_property(CACHE ${option} PROPERTY STRINGS AUTO ON OFF)
  string(TOUPPER "${${option}}" asked)
  if(asked STREQUAL "AUTO")
    set(${option} OFF)
    if(${found})
      set(${option} ON)
    endif()
  elseif(NOT asked MATCHES "^(ON|YES|TRUE|Y|1|OFF|NO|FALSE|N|0)$")
    message(FATAL_ERROR "${option} is ${${option}} and must be ON, OFF or AUTO.")
  endif()
endmacro()

# weft_need(<option> <found> <package>): rejects an option that the user has set to ON where its package is missing.
function(weft_need option found package)
  if(${option} AND NOT ${found})
    message(FATAL_ERROR "${option} is ON, and there is no ${package}; install it, or use -D${option}=AUTO.")
  endif()
endfunction()
