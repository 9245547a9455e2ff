// The files of the inspector's page (web/inspector), which are in the program; or those of a folder, for who works on them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/reply.hpp"

namespace cmux::admin {

struct EmbeddedFile {
  std::string_view path;  // "index.html", "lib/x.js"
  std::string_view type;  // its media type
  std::string_view sum;   // of its content
  std::string_view gzip;  // ... which is compressed
};
const std::vector<EmbeddedFile>& embedded_inspector();

// The answer to GET of one; empty is index.html. `folder`: instead of those in the program, which gives the types; empty: none.
Reply inspector_file(std::string_view path, const http::Head& request, const std::string& folder);

}  // namespace cmux::admin
