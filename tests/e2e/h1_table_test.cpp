// Every row of the table of HTTP/1, in every role in which the proxy speaks it. One proxy and one origin; a role keeps its
// connection from row to row as long as it stands.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <sstream>

#include "h1_origin.hpp"
#include "h1_table.hpp"
#include "rows.hpp"
#include "support.hpp"
#include "tls_client.hpp"

namespace e2e {
namespace {

using h1::RequestRow;
using h1::ResponseRow;

struct Stage {
  RecordingOrigin origin;
  Proxy proxy;
  Context context = proxy.context(
      {"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", origin.port()), "--dedicated-port", "--forward", "3000:0"});
  std::uint16_t dedicated = static_cast<std::uint16_t>(number_in(context.json, "dedicatedPort"));
  std::uint16_t forwarded =
      static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local"));

  Client secured(Client below, const char* name) const {
    return secure(std::move(below), {text_in(proxy.ready, "caFile"), name, {"http/1.1"}}).client;
  }
};

struct Role {
  const char* name;
  bool to_proxy;  // in absolute form
  bool credentials;
  bool sniffed;  // the first bytes may be no HTTP
  std::function<Client(const Stage&)> connect;
  std::function<std::string(const Stage&)> authority;
};

const std::vector<Role>& roles() {
  const auto localhost = [](const Stage&) { return std::string("localhost:3000"); };
  const auto local = [](const Stage& stage) { return fmt::format("localhost:{}", stage.forwarded); };
  static const std::vector<Role> all = {
      {"the proxy port", true, true, false, [](const Stage& s) { return s.proxy.connect(); }, localhost},
      {"the proxy port, over TLS", true, true, false, [](const Stage& s) { return s.secured(s.proxy.connect(), "127.0.0.1"); },
       localhost},
      {"a dedicated port", true, false, false, [](const Stage& s) { return Client(s.dedicated); }, localhost},
      {"a forwarded port", false, false, true, [](const Stage& s) { return Client(s.forwarded); }, local},
      {"a forwarded port, over TLS", false, false, false,
       [](const Stage& s) { return s.secured(Client(s.forwarded), "localhost"); }, local},
      {"CONNECT", false, false, true, [](const Stage& s) { return tunnel(s.proxy, s.context, "localhost:3000"); }, localhost},
      {"CONNECT, over TLS", false, false, false,
       [](const Stage& s) { return s.secured(tunnel(s.proxy, s.context, "localhost:3000"), "localhost"); }, localhost},
  };
  return all;
}

void add_all(h1::Requests& rows) {
  for (const auto add :
       {h1::add_request_lines, h1::add_hosts, h1::add_fields, h1::add_framing, h1::add_chunks, h1::add_smuggling})
    add(rows);
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
}

// A connection of a role, for one row after the other.
class Line {
 public:
  Line(Stage& stage, const Role& role) : stage_(stage), role_(role) {}

  std::string filled(std::string text) const {
    replace_all(text, "$T", role_.to_proxy ? "http://localhost:3000" : "");
    replace_all(text, "$H", role_.authority(stage_));
    replace_all(text, "$A", role_.credentials ? stage_.context.auth_line() : "");
    return text;
  }
  Client& client() {
    if (!open_) client_ = role_.connect(stage_), fresh_ = true;
    open_ = true;
    return client_;
  }
  // Makes what comes next a later request, which it is whatever its bytes are.
  void warm() {
    client();
    if (!fresh_) return;
    client_.send(filled(h1::request(h1::kGet)));
    if (client_.read_response().status != 200) FAIL("a plain request is not served");
    fresh_ = false;
    stage_.origin.take();
  }
  // ... and a first one.
  void renew() {
    if (!fresh_) open_ = false;
  }
  void used() { fresh_ = false; }
  void drop() { open_ = false; }
  const Role& role() const { return role_; }

 private:
  Stage& stage_;
  const Role& role_;
  Client client_;
  bool open_ = false, fresh_ = false;
};

// Without the fields of the route, and with a name for the origin that does not depend on its port.
std::string plain(std::string text, std::uint16_t port) {
  replace_all(text, fmt::format("\r\nHost: 127.0.0.1:{}\r\n", port), "\r\nHost: origin\r\n");
  for (std::size_t at = 0; (at = text.find("\r\nX-Cmux-", at)) != std::string::npos;)
    text.erase(at, text.find("\r\n", at + 2) - at);
  return text;
}

bool belongs(const RequestRow& row, const Role& role) {
  return row.where == RequestRow::Where::anywhere || (row.where == RequestRow::Where::proxy) == role.to_proxy;
}

void check_closed(Client& client) {
  const std::string more = client.read_all_until_close();
  if (!more.empty()) FAIL_CHECK("bytes behind the last response: " << more.substr(0, 200));
}

void check_row(Stage& stage, Line& line, const RequestRow& row) {
  const bool raw_first = line.role().sniffed && (row.unheard || std::string_view(line.role().name) == "CONNECT");
  if (raw_first) line.warm();
  else if (line.role().sniffed) line.renew();
  Client& client = line.client();
  line.used();
  client.send(line.filled(row.bytes));
  const Response response = client.read_response(row.bytes.starts_with("HEAD ") ? "HEAD" : "GET");
  if (response.status != row.status)
    FAIL_CHECK("status " << response.status << " in place of " << row.status << ": " << response.body);
  if ((row.status == 200) == response.has("Proxy-Status"))
    FAIL_CHECK("it is not the origin's, or not the proxy's: " << response.head);
  if (response.has("Connection") == row.open) FAIL_CHECK("whether it goes on: " << response.head);
  Strings whole = stage.origin.take();
  for (std::string& text : whole) text = plain(std::move(text), stage.origin.port());
  if (row.status != 200 && !whole.empty()) FAIL_CHECK("reached the origin: " << whole.front().substr(0, 500));
  if (row.status == 200 && (whole.size() != 1 || whole.front() != row.arrives))
    FAIL_CHECK(whole.size() << " at the origin: " << (whole.empty() ? "" : whole.front().substr(0, 500)) << "\nin place of "
                            << row.arrives.substr(0, 500));
  if (row.open && response.status == row.status) return;
  check_closed(client);
  line.drop();
}

void check_row(Stage& stage, Line& line, const ResponseRow& row) {
  stage.origin.answer(row.bytes, row.close ? RecordingOrigin::Then::close : RecordingOrigin::Then::keep);
  Client& client = line.client();
  line.used();
  client.send(line.filled(h1::request(fmt::format("{} $T/t {}", row.method, row.version))));
  if (row.cut) {
    const std::string got = client.read_all_until_close();
    line.drop();
    if (!row.arrives.starts_with(got) && got.find(" 502 ") == std::string::npos) FAIL_CHECK("got " << got);
    return;
  }
  if (row.arrives.empty()) {
    const Response response = client.read_response(row.method);
    if (response.status != 502 || !response.has("Proxy-Status") || response.has("Connection"))
      FAIL_CHECK("got " << response.head << response.body);
    return;
  }
  const std::string got = client.read_exactly(row.arrives.size());
  if (got != row.arrives) FAIL_CHECK("got " << got.substr(0, 500) << "\nin place of " << row.arrives.substr(0, 500));
  if (row.version == "HTTP/1.1" && got == row.arrives) return;
  check_closed(client);
  line.drop();
}

template <class Row>
void check_all(Stage& stage, const std::vector<Row>& rows, const std::function<bool(const Row&, const Role&)>& wanted) {
  for (const Role& role : roles()) {
    INFO(role.name);
    Line line(stage, role);
    for (const Row& row : rows) {
      if (!wanted(row, role)) continue;
      try {
        INFO(row.name);
        check_row(stage, line, row);
      } catch (...) {
        line.drop();  // Catch has noted it; one row must not hide the next
      }
    }
  }
}

}  // namespace

// docs/conformance.md names rows in quotes, where "…" stands for anything.
TEST_CASE("h1 table: docs/conformance.md names rows that exist") {
  h1::Requests requests;
  add_all(requests);
  h1::Responses responses;
  h1::add_responses(responses);
  Strings names;
  for (const RequestRow& row : requests) names.push_back(row.name);
  for (const ResponseRow& row : responses) names.push_back(row.name);
  std::istringstream page(read_file(source("docs/conformance.md")));
  std::size_t named = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.find("h1 table") == std::string::npos) continue;
    INFO(line);
    for (std::size_t open = line.find('"'); open != std::string::npos; ++named) {
      const std::size_t close = line.find('"', open + 1);
      REQUIRE(close != std::string::npos);
      std::string pattern = line.substr(open + 1, close - open - 1);
      INFO(pattern);
      replace_all(pattern, "\\", "\\\\");
      for (const char* const special : {"[", "]", "?", "*"}) replace_all(pattern, special, std::string("\\") + special);
      replace_all(pattern, "…", "*");
      CHECK(std::any_of(names.begin(), names.end(),
                        [&](const std::string& name) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }));
      open = line.find('"', close + 1);
    }
  }
  CHECK(named > 60);
}

TEST_CASE("h1 table: requests, in every role") {
  h1::Requests rows;
  add_all(rows);
  CHECK(rows.size() > 1200);
  Stage stage;
  check_all<RequestRow>(stage, rows, belongs);
  for (const std::string& text : stage.origin.take_broken())
    CHECK(text.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos);
}

TEST_CASE("h1 table: responses, in every role") {
  h1::Responses rows;
  h1::add_responses(rows);
  CHECK(rows.size() > 450);
  Stage stage;
  check_all<ResponseRow>(stage, rows, [](const ResponseRow&, const Role&) { return true; });
}

}  // namespace e2e
