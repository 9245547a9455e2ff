// What is printed for programs, against the schemas of docs/.
#pragma once

#include "support.hpp"

namespace e2e {

// `page`: of docs/, with the schema's place in it. `text`: a document, or one a line.
inline void fits(const std::string& page, const std::string& text) {
  const Run checked = run({"python3", source("tests/e2e/python/schema.py"), source("docs/" + page)}, {}, text);
  INFO(page << "\n" << text << checked.out << checked.err);
  CHECK(checked.exit == 0);
}

}  // namespace e2e
