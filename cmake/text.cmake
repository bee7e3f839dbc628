# weft::text: weft with utf8proc, for the tokenizers of weft/text.
add_library(weft_text INTERFACE)
add_library(weft::text ALIAS weft_text)
target_link_libraries(weft_text INTERFACE weft::weft utf8proc::utf8proc)
