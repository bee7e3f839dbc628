# weft::pipeline: weft::text, for whole pipelines (weft/pipeline.hpp).
add_library(weft_pipeline INTERFACE)
add_library(weft::pipeline ALIAS weft_pipeline)
target_link_libraries(weft_pipeline INTERFACE weft::text)
