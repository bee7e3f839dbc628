# utf8proc from its sources, which are one file.
enable_language(C)
weft_fetch(utf8proc DEBIAN libutf8proc-dev GIT https://github.com/JuliaStrings/utf8proc.git TAG v2.8.0
  COMMIT 1cb28a66ca79a0845e99433fd1056257456cef8b)

add_library(weft_utf8proc STATIC ${utf8proc_SOURCE}/utf8proc.c)
add_library(utf8proc::utf8proc ALIAS weft_utf8proc)
set_target_properties(weft_utf8proc PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
target_compile_definitions(weft_utf8proc PUBLIC UTF8PROC_STATIC)
target_include_directories(weft_utf8proc SYSTEM PUBLIC ${utf8proc_SOURCE})
