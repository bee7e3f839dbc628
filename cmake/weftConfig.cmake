include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Eigen3 3.4)
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_dependency(Random123 MODULE)
find_dependency(RapidJSON MODULE)

include(${CMAKE_CURRENT_LIST_DIR}/weftTargets.cmake)

# find_package(weft COMPONENTS job): weft::job as well, for the processes of a job (weft/comm/job).
if("job" IN_LIST weft_FIND_COMPONENTS OR "mpi" IN_LIST weft_FIND_COMPONENTS)
  find_dependency(Sodium MODULE)
  if(NOT TARGET weft::job)
    add_library(weft::job INTERFACE IMPORTED)
    set_target_properties(weft::job PROPERTIES INTERFACE_LINK_LIBRARIES "weft::weft;Sodium::Sodium")
  endif()
  set(weft_job_FOUND ON)
endif()

# find_package(weft COMPONENTS text): weft::text as well, for the tokenizers of weft/text.
if("text" IN_LIST weft_FIND_COMPONENTS OR "pipeline" IN_LIST weft_FIND_COMPONENTS)
  find_dependency(utf8proc MODULE)
  if(NOT TARGET weft::text)
    add_library(weft::text INTERFACE IMPORTED)
    set_target_properties(weft::text PROPERTIES INTERFACE_LINK_LIBRARIES "weft::weft;utf8proc::utf8proc")
  endif()
  set(weft_text_FOUND ON)
endif()

# find_package(weft COMPONENTS pipeline): weft::pipeline as well, for weft/pipeline.hpp.
if("pipeline" IN_LIST weft_FIND_COMPONENTS)
  if(NOT TARGET weft::pipeline)
    add_library(weft::pipeline INTERFACE IMPORTED)
    set_target_properties(weft::pipeline PROPERTIES INTERFACE_LINK_LIBRARIES weft::text)
  endif()
  set(weft_pipeline_FOUND ON)
endif()

# find_package(weft COMPONENTS mpi): weft::mpi as well.
if("mpi" IN_LIST weft_FIND_COMPONENTS)
  set(MPI_CXX_SKIP_MPICXX ON)
  find_dependency(MPI COMPONENTS CXX)
  if(NOT TARGET weft::mpi)
    add_library(weft::mpi INTERFACE IMPORTED)
    set_target_properties(weft::mpi PROPERTIES INTERFACE_LINK_LIBRARIES "weft::job;MPI::MPI_CXX")
  endif()
  set(weft_mpi_FOUND ON)
endif()

foreach(component IN LISTS weft_FIND_COMPONENTS)
  if(NOT weft_${component}_FOUND)
    set(weft_FOUND OFF)
    set(weft_NOT_FOUND_MESSAGE "weft has no component ${component}; it has job, mpi, text and pipeline.")
  endif()
endforeach()

list(POP_FRONT CMAKE_MODULE_PATH)
include(${CMAKE_CURRENT_LIST_DIR}/build_type.cmake)
