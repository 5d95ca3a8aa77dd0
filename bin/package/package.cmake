# `cmake --install`: the programs, and the package that `find_package(Troupe)` finds. How to use it: tests/examples.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)
set(floors troupe_schemas troupe_storage troupe_runtime troupe_net troupe_actors)

install(TARGETS troupe troupe-runner)
foreach(target troupe_options ${floors})
  string(REPLACE "troupe_" "" name ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS troupe_options ${floors} EXPORT Troupe)
install(EXPORT Troupe NAMESPACE Troupe:: FILE TroupeTargets.cmake DESTINATION ${package_dir})

# The headers that users include, and those that these include. All of them stand on the standard library, Boost's
# header-only parts and spdlog; what names CAF, RocksDB, Beast, simdjson or yaml-cpp stays inside.
set(public_headers
    actors/application/application.hpp
    actors/application/serve.hpp
    actors/common/debts.hpp
    actors/common/model.hpp
    actors/common/routes.hpp
    actors/kinds/kind.hpp
    actors/tool/tool.hpp
    net/body.hpp
    net/client/http_client.hpp
    net/http/handlers.hpp
    net/http/own_form.hpp
    net/http/route.hpp
    net/http/stream_query.hpp
    net/model/model.hpp
    runtime/bus/bus.hpp
    runtime/bus/filter.hpp
    runtime/config/config.hpp
    runtime/config/present.hpp
    runtime/entity/entity.hpp
    runtime/entity/kind.hpp
    runtime/metrics/metrics.hpp
    runtime/node.hpp
    runtime/process/sandbox.hpp
    runtime/services.hpp
    runtime/supervision/part.hpp
    runtime/supervision/placed.hpp
    storage/blob_hash.hpp
    storage/blobs.hpp
    storage/record.hpp
    storage/store.hpp
    storage/views.hpp)
file(GLOB_RECURSE schemas CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} schemas/*.hpp)
foreach(header ${public_headers} ${schemas})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe/${folder})
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/TroupeConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/package/TroupeConfig.cmake INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_BINDIR)
# Before 1.0 any version may change what programs see.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/TroupeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/TroupeConfig.cmake ${CMAKE_BINARY_DIR}/package/TroupeConfigVersion.cmake
        DESTINATION ${package_dir})
