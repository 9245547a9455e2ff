// Tables of raw requests that must be refused, and how each row is checked.
#pragma once

#include <string>
#include <vector>

#include "harness.hpp"

namespace e2e {

enum class After { open, closed };        // the client's connection, once the answer is there
enum class Reach { untouched, reached };  // may the workspace have seen the request?

struct Row {
  std::string name, bytes;  // "$A" in the bytes is the line with the credentials
  int status;
  After after;
  Reach upstream = Reach::untouched;
};

inline std::string filled(std::string text, const std::string& auth_line) {
  for (std::size_t at = 0; (at = text.find("$A", at)) != std::string::npos; at += auth_line.size())
    text.replace(at, 2, auth_line);
  return text;
}

// Runs `body`, and goes on behind it where a FAIL has left it: one row must not hide the next.
inline void each(const std::string& name, const std::function<void()>& body) {
  INFO(name);
  try {
    body();
  } catch (...) {
    // Catch has noted it.
    FAIL_CHECK("stopped early: " << name);
  }
}

inline void check_own_answer(const Response& response, int status) {
  INFO(response.head << response.body);
  CHECK(response.status == status);
  CHECK(response.header("Proxy-Status").starts_with("cmuxproxy; error="));
}

inline void check_rows(const Proxy& proxy, const Workspace& workspace, const Context& context, const std::vector<Row>& rows) {
  const std::string good = filled("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n$A\r\n", context.auth_line());
  for (const Row& row : rows)
    each(row.name, [&] {
      const auto seen = workspace.requests(), malformed = workspace.malformed();
      Client client = proxy.connect();
      client.send(filled(row.bytes, context.auth_line()));
      const Response response = client.read_response(row.bytes.starts_with("HEAD") ? "HEAD" : "GET");
      check_own_answer(response, row.status);
      if (row.upstream == Reach::untouched) CHECK(workspace.requests() == seen);
      else CHECK(workspace.requests() <= seen + 1);
      CHECK(workspace.malformed() == malformed);
      if (row.after == After::open) {
        CHECK_FALSE(response.has("Connection"));
        CHECK(client.ask(good).status == 200);
      } else {
        CHECK(response.header("Connection") == "close");
        CHECK(client.read_all_until_close() == "");
      }
    });
}

}  // namespace e2e
