// The version of weft: three numbers for #if, and a string. cmake/version.cmake reads them from here.
// Everything is in the inline namespace weft::vMAJOR_MINOR, so that two versions in one program stay apart;
// tests/headers/version compares its name with the numbers.
#pragma once

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

#define WEFT_DETAIL_DOTTED(a, b, c) #a "." #b "." #c
#define WEFT_DETAIL_VERSION(a, b, c) WEFT_DETAIL_DOTTED(a, b, c)

/// A string literal such as "0.1.0".
#define WEFT_VERSION WEFT_DETAIL_VERSION(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH)
