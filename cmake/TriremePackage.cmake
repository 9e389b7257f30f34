# What `cmake --install` and CPack deliver: libraries, headers, the program, and a package for find_package(trireme).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/trireme)
install(EXPORT trireme NAMESPACE trireme:: DESTINATION ${package_dir} FILE triremeTargets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/triremeConfig.cmake.in ${PROJECT_BINARY_DIR}/triremeConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/triremeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/triremeConfig.cmake ${PROJECT_BINARY_DIR}/triremeConfigVersion.cmake
  cmake/TriremeDependencies.cmake cmake/FindLibTorch.cmake DESTINATION ${package_dir})

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME trireme)
set(CPACK_PACKAGE_VENDOR "The trireme developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Distributed fine-tuning and training of large language models on clusters")
set(CPACK_RESOURCE_FILE_README ${PROJECT_SOURCE_DIR}/README.md)
set(CPACK_PACKAGE_FILE_NAME trireme-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
include(CPack)
