#include "chromium_flags.hpp"

#include <fmt/format.h>

namespace cmux::cli {

std::vector<std::string> chromium_flags(const json::object& context, const json::object& status) {
  const std::string spki = text_member(status, "caSpki");
  std::vector<std::string> flags{
      fmt::format("--proxy-server={}://{}", spki.empty() ? "http" : "https", text_member(context, "proxy")),
      "--proxy-bypass-list=<-loopback>"};
  if (!spki.empty()) flags.push_back("--ignore-certificate-errors-spki-list=" + spki);
  return flags;
}

}  // namespace cmux::cli
