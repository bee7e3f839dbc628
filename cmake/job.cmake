# weft::job: weft with libsodium, for the processes of a job (weft/comm/job).
add_library(weft_job INTERFACE)
add_library(weft::job ALIAS weft_job)
target_link_libraries(weft_job INTERFACE weft::weft Sodium::Sodium)
