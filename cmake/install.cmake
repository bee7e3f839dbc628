# The files of find_package(weft).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/weft)

write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(TARGETS weft EXPORT weft FILE_SET HEADERS FILE_SET job FILE_SET text FILE_SET pipeline FILE_SET mpi FILE_SET cuda FILE_SET kernels)
install(EXPORT weft NAMESPACE weft:: FILE weftTargets.cmake DESTINATION ${package_dir})
install(FILES cmake/weftConfig.cmake cmake/find_headers.cmake cmake/FindRandom123.cmake
              cmake/FindRapidJSON.cmake cmake/FindSodium.cmake
              cmake/Findutf8proc.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${package_dir})
