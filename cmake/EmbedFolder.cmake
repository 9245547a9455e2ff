# cmake -DFOLDER=… -DOUTPUT=….cpp -DFILES="a.html;b/c.js" -P EmbedFolder.cmake: the files, compressed with gzip, as C++ (admin/inspector_files.hpp).
# The same files make the same text, whenever and wherever: the time in gzip's header is left out.
set(types html text/html css text/css js text/javascript mjs text/javascript svg image/svg+xml png image/png ico image/x-icon txt text/plain
          webmanifest application/manifest+json)
set(arrays "")
set(table "")
set(number 0)
foreach(file ${FILES})
  get_filename_component(ending ${file} LAST_EXT)
  string(SUBSTRING "${ending}." 1 -1 ending)
  string(REPLACE "." "" ending "${ending}")
  list(FIND types "${ending}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "${file}: what its type is does not stand in EmbedFolder.cmake")
  endif()
  math(EXPR place "${place} + 1")
  list(GET types ${place} type)
  file(ARCHIVE_CREATE OUTPUT ${OUTPUT}.gz PATHS ${FOLDER}/${file} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  file(READ ${OUTPUT}.gz hex HEX)
  file(REMOVE ${OUTPUT}.gz)
  file(SHA256 ${FOLDER}/${file} sum)
  string(SUBSTRING ${sum} 0 16 sum)
  string(SUBSTRING ${hex} 0 8 begin)
  string(SUBSTRING ${hex} 16 -1 rest)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${begin}00000000${rest}")
  string(APPEND arrays "constexpr unsigned char k${number}[] = {${bytes}};\n")
  string(APPEND table "    {\"${file}\", \"${type}\", \"${sum}\", text(k${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// From ${FOLDER}, by cmake/EmbedFolder.cmake.
#include \"admin/inspector_files.hpp\"

namespace cmux::admin {
namespace {
${arrays}
template <std::size_t N>
std::string_view text(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}
}  // namespace

const std::vector<EmbeddedFile>& embedded_inspector() {
  static const std::vector<EmbeddedFile> files{
${table}  };
  return files;
}

}  // namespace cmux::admin
")
