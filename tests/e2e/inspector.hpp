// The inspector's API, as a page or a script asks it.
#pragma once

#include "support.hpp"

namespace e2e {

inline std::string decoded(std::string_view base64) {
  std::string out(base64.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  const std::size_t padding = base64.ends_with("==") ? 2 : base64.ends_with('=') ? 1 : 0;
  out.resize(size < 0 ? 0 : static_cast<std::size_t>(size) - padding);
  return out;
}

// All that is kept.
inline boost::json::array exchanges(const Proxy& proxy, std::string_view query = "") {
  boost::json::array out;
  std::int64_t after = 0;
  while (true) {
    const auto page = proxy.api("GET", fmt::format("/v1/exchanges?limit=1000&after={}{}", after, query)).json();
    const auto& list = page.at("exchanges").as_array();
    out.insert(out.end(), list.begin(), list.end());
    if (list.empty()) return out;
    after = number_in(page, "next");
  }
}

// The last one whose URL has that in it; waits for it to have ended where that is wanted.
inline boost::json::object exchange_to(const Proxy& proxy, std::string_view part, bool ended = true) {
  boost::json::object found;
  const bool came = eventually([&] {
    for (const auto& value : exchanges(proxy)) {
      const auto& one = value.as_object();
      if (one.at("url").is_string() && text_in(one, "url").find(part) != std::string::npos) found = one;
    }
    return !found.empty() && (!ended || text_in(found, "state") != "open");
  });
  if (!came) FAIL("no exchange to " << std::string(part) << ": " << boost::json::serialize(found));
  return found;
}

inline boost::json::object details(const Proxy& proxy, const boost::json::object& summary) {
  return proxy.api("GET", "/v1/exchanges/" + text_in(summary, "id")).json();
}

inline const boost::json::object& part(const boost::json::object& exchange, const char* side, const char* which) {
  return exchange.at(side).at(which).as_object();
}

// "value mark" of the first field of that name; "-" where there is none.
inline std::string field(const boost::json::object& head, std::string_view name) {
  for (const auto& value : head.at("fields").as_array()) {
    const auto& line = value.as_array();
    std::string lower(line.at(0).as_string().c_str());
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == name)
      return fmt::format("{} {}", line.at(1).as_string().c_str(), line.at(2).is_null() ? "" : line.at(2).as_string().c_str());
  }
  return "-";
}

inline std::string body_text(const boost::json::object& exchange, const char* side) {
  return decoded(text_in(part(exchange, side, "body"), "data"));
}

// Against docs/openapi.yaml.
inline void fits_schema(std::string_view name, const boost::json::value& document) {
  const Run checked = run(
      {"python3", source("tests/e2e/python/schema.py"), source(fmt::format("docs/openapi.yaml#/components/schemas/{}", name))},
      {}, boost::json::serialize(document));
  INFO(name << ": " << checked.out << checked.err << boost::json::serialize(document));
  CHECK(checked.exit == 0);
}

// GET /v1/exchanges/stream, once it has begun.
class ExchangeStream {
 public:
  explicit ExchangeStream(const Proxy& proxy, std::string_view query = "") : client_(proxy.admin_port()) {
    client_.send(fmt::format("GET /v1/exchanges/stream{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\r\n",
                             query, proxy.admin_port(), proxy.token));
    const std::string head = client_.read_until("\r\n\r\n");
    if (head.find(" 200 ") == std::string::npos) FAIL(head);
  }
  // The data of the next event of that type, for which `wanted` holds.
  boost::json::object next(std::string_view type, const std::function<bool(const boost::json::object&)>& wanted = {}) {
    while (true) {
      const std::string event = client_.read_until("\n\n");
      const std::size_t name = event.find("event: "), data = event.find("data: ");
      if (name == std::string::npos || data == std::string::npos) continue;
      if (event.substr(name + 7, event.find('\n', name) - name - 7) != type) continue;
      const auto document = boost::json::parse(event.substr(data + 6, event.find('\n', data) - data - 6)).as_object();
      if (!wanted || wanted(document)) return document;
    }
  }
  // The next of an exchange whose URL ends so, in that state.
  boost::json::object exchange(std::string_view url_end, std::string_view state) {
    return next("exchange", [&](const boost::json::object& one) {
      return one.at("url").is_string() && text_in(one, "url").ends_with(url_end) && text_in(one, "state") == state;
    });
  }
  Client& client() { return client_; }

 private:
  Client client_;
};

}  // namespace e2e
