# weft::mpi: weft with the MPI of this machine, for weft/comm/mpi.hpp.
if(NOT TARGET MPI::MPI_CXX)
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI QUIET COMPONENTS CXX)
  weft_need(WEFT_MPI MPI_CXX_FOUND "MPI for C++, such as Debian's libopenmpi-dev")
endif()
add_library(weft_mpi INTERFACE)
add_library(weft::mpi ALIAS weft_mpi)
target_link_libraries(weft_mpi INTERFACE weft::job MPI::MPI_CXX)
