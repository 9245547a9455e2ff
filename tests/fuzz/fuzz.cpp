#include "fuzz.hpp"

#include <cstdio>
#include <cstdlib>

#include "http1/differences.hpp"
#include "http1/parser.hpp"

namespace cmux::fuzz {
namespace {

void check_fields(const http::Fields& fields) {
  for (const auto field : fields) {
    check(http1::is_token(field.name), "a field's name is a token", field.name);
    check(http1::is_field_value(field.value), "a field's value has no control characters", field.value);
  }
  for (const http::Name gone : {http::Name::content_length, http::Name::transfer_encoding, http::Name::connection})
    check(!fields.contains(gone), "framing is not among the fields", http::text_of(gone));
}

}  // namespace

std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

void broken(std::string_view promise, std::string_view seen) {
  std::fprintf(stderr, "broken promise: %.*s\n%s\n", static_cast<int>(promise.size()), promise.data(),
               http1::shown(seen).c_str());
  std::abort();
}

void check_request(const http::Head& head) {
  check(http1::is_token(head.method), "the method is a token", head.method);
  check(head.path.empty() || http::is_target(head.path), "the path may be a request target", head.path);
  // Of HTTP/1 user info in a target is the exchange's to refuse, and so is a CONNECT's that is none.
  const bool h1 = head.version < 20;
  if (!h1 || !head.is_connect() || head.is_upgrade())
    check(head.authority.find_first_of(h1 ? " \t\r\n/?#" : " \t\r\n/@?#") == std::string::npos, "the authority is one",
          head.authority);
  check_fields(head.fields);
}

void check_response(const http::Head& head) {
  check(head.status >= 100 && head.status <= 999, "the status has three digits");
  check(http1::is_field_value(head.reason), "the reason has no control characters", head.reason);
  check_fields(head.fields);
}

}  // namespace cmux::fuzz
