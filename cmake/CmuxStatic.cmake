# CMUX_STATIC: a program that needs libc alone, of any version from glibc 2.34 on. It differs from the other builds by how it is linked; the
# objects are the same, so that ccache knows them. Included before the libraries are looked for.

set(OPENSSL_USE_STATIC_LIBS ON)

# Debian has no archives of fmt and spdlog. Their headers hold the code, so one file makes what the shared libraries would give.
function(cmux_link_statically)
  add_library(cmux_formatting STATIC ${CMAKE_SOURCE_DIR}/cmake/static/formatting.cpp)
  get_target_property(of_fmt fmt::fmt INTERFACE_COMPILE_DEFINITIONS)
  get_target_property(of_spdlog spdlog::spdlog INTERFACE_COMPILE_DEFINITIONS)
  target_compile_definitions(cmux_formatting PUBLIC ${of_fmt} ${of_spdlog})
  set(CMUX_FORMATTING cmux_formatting PARENT_SCOPE)

  find_library(CMUX_NGHTTP2_ARCHIVE libnghttp2.a REQUIRED)
  set_target_properties(PkgConfig::nghttp2 PROPERTIES INTERFACE_LINK_LIBRARIES ${CMUX_NGHTTP2_ARCHIVE})
  find_library(CMUX_BROTLI_ARCHIVE libbrotlidec.a REQUIRED)
  find_library(CMUX_BROTLI_COMMON_ARCHIVE libbrotlicommon.a REQUIRED)
  set_target_properties(PkgConfig::brotli PROPERTIES INTERFACE_LINK_LIBRARIES "${CMUX_BROTLI_ARCHIVE};${CMUX_BROTLI_COMMON_ARCHIVE}")
  find_library(CMUX_HIREDIS_ARCHIVE libhiredis.a REQUIRED)
  set_target_properties(PkgConfig::hiredis PROPERTIES INTERFACE_LINK_LIBRARIES ${CMUX_HIREDIS_ARCHIVE})
  find_library(CMUX_ZLIB_ARCHIVE libz.a REQUIRED)
  set_target_properties(ZLIB::ZLIB PROPERTIES IMPORTED_LOCATION ${CMUX_ZLIB_ARCHIVE} IMPORTED_LOCATION_RELEASE ${CMUX_ZLIB_ARCHIVE})

  target_link_options(cmux_options INTERFACE -static-libgcc -static-libstdc++)
endfunction()
