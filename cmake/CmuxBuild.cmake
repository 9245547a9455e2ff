# How every target of the project is compiled, and cmux_layer(), which makes a folder of src/ a library.

include(CheckCXXCompilerFlag)

find_program(CMUX_CCACHE ccache)
if(CMUX_CCACHE)
  # Precompiled headers need the sloppiness; without it ccache would never hit. The base and the sums make other checkouts hit, too: a
  # fresh clone of what was built before compiles nothing.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 ${CMUX_CCACHE})
endif()

add_library(cmux_options INTERFACE)
target_compile_options(cmux_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
target_compile_definitions(cmux_options INTERFACE CMUXPROXY_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 misreads its own inlined std::string copies (GCC PR 105329, 105651): these three would fail correct code.
  target_compile_options(cmux_options INTERFACE -fcoroutines -fpch-preprocess -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(cmux_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()
if(CMUX_SANITIZE)
  target_compile_options(cmux_options INTERFACE -fsanitize=${CMUX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(cmux_options INTERFACE -fsanitize=${CMUX_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Its data in front of functions is in the wrong section once a coroutine was split: clang 14 cannot assemble that.
    target_compile_options(cmux_options INTERFACE -fno-sanitize=function)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMUX_SANITIZE STREQUAL "thread")
    # Asio's fences around handlers, of which the sanitizer knows nothing: what they order, its queue's mutex orders as well.
    target_compile_options(cmux_options INTERFACE -Wno-tsan)
  endif()
endif()
# What makes a flaw in memory handling harder to use, where it costs nothing that can be measured: see docs/security.md. The
# sanitizers find such flaws themselves, and do not go with FORTIFY.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT CMUX_SANITIZE)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(cmux_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
  check_cxx_compiler_flag(-fcf-protection=full CMUX_HAS_CET)  # x86 alone
  if(CMUX_HAS_CET)
    target_compile_options(cmux_options INTERFACE -fcf-protection=full)
  endif()
  target_link_options(cmux_options INTERFACE -pie)
  if(NOT APPLE)
    target_link_options(cmux_options INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack)
  endif()
endif()

# target_precompile_headers(), and a sum by which ccache knows the result: the compiler never writes the same file twice. Its own
# headers must not be among them, since the sum would not notice their change.
function(cmux_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(ending gch)
  else()
    set(ending pch)
  endif()
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.${ending}.sum
    "${ARGN} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} boost ${Boost_VERSION} fmt ${fmt_VERSION} CLI11 ${CLI11_VERSION}\n")
endfunction()

function(cmux_layer name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  add_library(cmux_${name} STATIC ${sources})
  # One include root a layer: "<layer>/<file>.hpp" is found only where that layer is linked.
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${name} ${root}/${name} SYMBOLIC)
  target_include_directories(cmux_${name} PUBLIC ${root})
  target_link_libraries(cmux_${name} PUBLIC ${ARG_LINK} PRIVATE cmux_options)
  if(name STREQUAL "base")
    cmux_precompile(cmux_base
      <algorithm> <array> <chrono> <coroutine> <cstdint> <cstring> <functional> <map> <memory> <optional> <span> <string>
      <string_view> <unordered_map> <utility> <vector> <fmt/format.h> <boost/system/result.hpp>)
  else()
    target_precompile_headers(cmux_${name} REUSE_FROM cmux_base)
  endif()
endfunction()

# cmux_embed(LAYER NAME FILE...): files of web/ as string_views in "web/NAME.inc", for that layer's own use; waiting.js is kWaitingJs.
function(cmux_embed layer name)
  set(text "// From web/, by CMake.\n#pragma once\n#include <string_view>\n")
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/${file})
    file(READ ${CMAKE_SOURCE_DIR}/web/${file} content)
    string(REPLACE "." ";" words ${file})
    set(constant k)
    foreach(word ${words})
      string(SUBSTRING ${word} 0 1 first)
      string(TOUPPER ${first} first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(APPEND constant ${first}${rest})
    endforeach()
    string(APPEND text "inline constexpr std::string_view ${constant} = R\"cmux(${content})cmux\";\n")
  endforeach()
  file(WRITE ${CMAKE_BINARY_DIR}/web/${name}.inc.new "${text}")
  file(COPY_FILE ${CMAKE_BINARY_DIR}/web/${name}.inc.new ${CMAKE_BINARY_DIR}/web/${name}.inc ONLY_IF_DIFFERENT)
  target_include_directories(cmux_${layer} PRIVATE ${CMAKE_BINARY_DIR})
endfunction()

# cmux_embed_folder(LAYER FOLDER): the files of a folder of web/ within that layer, compressed; cmake/EmbedFolder.cmake says how they look.
function(cmux_embed_folder layer folder)
  set(root ${CMAKE_SOURCE_DIR}/web/${folder})
  file(GLOB_RECURSE files RELATIVE ${root} CONFIGURE_DEPENDS ${root}/*.html ${root}/*.css ${root}/*.js ${root}/*.mjs ${root}/*.svg
       ${root}/*.png ${root}/*.ico ${root}/*.txt ${root}/*.webmanifest)
  list(TRANSFORM files PREPEND ${root}/ OUTPUT_VARIABLE paths)
  set(output ${CMAKE_BINARY_DIR}/web/${folder}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${root} -DOUTPUT=${output} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFolder.cmake
    DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/EmbedFolder.cmake COMMENT "Compressing web/${folder}" VERBATIM)
  target_sources(cmux_${layer} PRIVATE ${output})
endfunction()
