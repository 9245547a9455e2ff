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

  target_link_options(cmux_options INTERFACE -static-libgcc -static-libstdc++)
endfunction()
