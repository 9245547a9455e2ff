// A settings file: understood or refused with the place, and what `serve --check` prints means the same.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "../fuzz.hpp"
#include "app/settings.hpp"

namespace {

using namespace cmux;

struct File {
  File() {
    const int made = mkstemp(name.data());
    if (made < 0) std::abort();
    close(made);
  }
  ~File() { unlink(name.c_str()); }
  std::string name = "/tmp/cmux-fuzz-XXXXXX";
};

Result<app::Settings> load(const std::string& text) {
  static const File file;
  std::ofstream(file.name, std::ios::binary | std::ios::trunc) << text;
  return app::load_settings(
      {}, [](const char*) -> const char* { return nullptr; }, {}, file.name);
}

void run(std::string_view bytes) {
  const auto settings = load(std::string(bytes));
  if (!settings) return fuzz::check(!settings.error().detail.empty(), "an error says what is wrong", bytes);
  const std::string shown = app::to_toml(*settings);
  const auto again = load(shown);
  if (!again) fuzz::broken("what --check prints can be read: " + again.error().detail, shown);
  fuzz::check(app::to_toml(*again) == shown, "what --check prints means the same", shown);
}
CMUX_FUZZ_TARGET("settings", run);

}  // namespace
