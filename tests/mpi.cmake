# Tests whose ranks are processes. Each runs at several numbers of them.
if(NOT MPIEXEC_EXECUTABLE)
  message(FATAL_ERROR "The tests of MPI need mpirun, and there is none; install it (Debian: openmpi-bin), or say "
                      "-DWEFT_MPI=OFF.")
endif()
set(mpirun ${MPIEXEC_EXECUTABLE} --oversubscribe --allow-run-as-root)

# weft_mpi_test(<name> RANKS <number>... SOURCES <source>... [LIBRARIES <library>...]): the test <name>_<number> for each number of ranks.
function(weft_mpi_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "" "RANKS;SOURCES;LIBRARIES")
  string(REPLACE / _ program ${name})
  add_executable(${program}_test ${test_SOURCES})
  target_link_libraries(${program}_test PRIVATE weft_mpi weft_development doctest::doctest nlohmann_json::nlohmann_json ${test_LIBRARIES})
  target_compile_definitions(${program}_test PRIVATE WEFT_SHAPES_DIR="${PROJECT_SOURCE_DIR}/share/shapes"
                                                     WEFT_GOLDENS_DIR="${PROJECT_SOURCE_DIR}/tests/goldens")
  foreach(ranks IN LISTS test_RANKS)
    add_test(NAME ${name}_${ranks} COMMAND ${mpirun} -n ${ranks} $<TARGET_FILE:${program}_test>)
    set_tests_properties(${name}_${ranks} PROPERTIES LABELS mpi TIMEOUT 120 PROCESSORS 2)
  endforeach()
endfunction()

weft_mpi_test(comm/mpi RANKS 1 2 3 5 8 SOURCES comm/mpi_test.cpp)
# Takes 5 GiB: ctest -C repeat
add_test(NAME comm/mpi_long_messages CONFIGURATIONS repeat
  COMMAND ${mpirun} -n 2 $<TARGET_FILE:comm_mpi_test> --no-skip "--test-case=*2 GiB*")

add_executable(mpi_failing comm/mpi_failing.cpp)
target_link_libraries(mpi_failing PRIVATE weft_mpi weft_development)
weft_test(comm/mpi_failure comm/mpi_failure_test.cpp)
string(JOIN " " mpirun_line ${mpirun})
target_compile_definitions(comm_mpi_failure_test PRIVATE WEFT_MPIRUN="${mpirun_line}"
                                                         WEFT_FAILING="$<TARGET_FILE:mpi_failing>")
add_dependencies(comm_mpi_failure_test mpi_failing)
set_tests_properties(comm/mpi_failure PROPERTIES LABELS mpi TIMEOUT 300)
# Takes minutes: ctest -C repeat
add_test(NAME comm/mpi_failure_20_times CONFIGURATIONS repeat COMMAND comm_mpi_failure_test)
set_tests_properties(comm/mpi_failure_20_times PROPERTIES LABELS mpi ENVIRONMENT WEFT_REPEAT=20 TIMEOUT 1200)

weft_mpi_test(engine/mpi_mesh RANKS 8 SOURCES engine/mpi_mesh_test.cpp)
weft_mpi_test(engine/mpi_models RANKS 8 SOURCES engine/mpi_models_test.cpp)
weft_mpi_test(vae/mpi_decode RANKS 1 3 8 SOURCES vae/mpi_decode_test.cpp)
weft_mpi_test(text/mpi_prompt_encoders RANKS 1 2 4 SOURCES text/mpi_prompt_encoders_test.cpp LIBRARIES weft_text)
weft_mpi_test(pipeline/mpi_pipeline RANKS 1 2 4 SOURCES pipeline/mpi_pipeline_test.cpp LIBRARIES weft_pipeline)

if(TARGET usage_mpi)
  add_test(NAME examples/usage/mpi COMMAND ${mpirun} -n 3 $<TARGET_FILE:usage_mpi>)
  set_tests_properties(examples/usage/mpi PROPERTIES LABELS mpi TIMEOUT 120 PROCESSORS 2)
endif()
