# The files of find_package(weft).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/weft)

write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(TARGETS weft EXPORT weft FILE_SET HEADERS FILE_SET job FILE_SET text FILE_SET pipeline FILE_SET mpi FILE_SET cuda FILE_SET kernels)
install(EXPORT weft NAMESPACE weft:: FILE weftTargets.cmake DESTINATION ${package_dir})
install(FILES cmake/weftConfig.cmake cmake/build_type.cmake cmake/find_headers.cmake cmake/FindRandom123.cmake
              cmake/FindRapidJSON.cmake cmake/FindSodium.cmake
              cmake/Findutf8proc.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${package_dir})

# `cpack --config build/CPackConfig.cmake` makes the Debian package.
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # nothing that is built is installed
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME libweft-dev)
  set(CPACK_PACKAGE_CONTACT "The weft authors")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libeigen3-dev, librandom123-dev, rapidjson-dev")
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libsodium-dev, libutf8proc-dev")
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  include(CPack)
endif()
