// A session must not be ended by code that nghttp2 calls (CVE-2026-27135): the linker puts these functions in front of the
// library's, for the tests of this program.
#ifdef __linux__
#include <nghttp2/nghttp2.h>

#include <catch2/catch.hpp>

#include "http2/server.hpp"
#include "net/pair.hpp"

using namespace cmux;

namespace {

unsigned depth = 0, ended = 0, ended_inside = 0;

struct Inside {
  Inside() { ++depth; }
  ~Inside() { --depth; }
  Inside(const Inside&) = delete;
};

}  // namespace

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names (ld(1), --wrap)
ssize_t __real_nghttp2_session_mem_recv(nghttp2_session* session, const uint8_t* bytes, size_t size);
ssize_t __real_nghttp2_session_mem_send(nghttp2_session* session, const uint8_t** bytes);
int __real_nghttp2_session_terminate_session(nghttp2_session* session, uint32_t code);

ssize_t __wrap_nghttp2_session_mem_recv(nghttp2_session* session, const uint8_t* bytes, size_t size) {
  const Inside inside;
  return __real_nghttp2_session_mem_recv(session, bytes, size);
}
ssize_t __wrap_nghttp2_session_mem_send(nghttp2_session* session, const uint8_t** bytes) {
  const Inside inside;
  return __real_nghttp2_session_mem_send(session, bytes);
}
int __wrap_nghttp2_session_terminate_session(nghttp2_session* session, uint32_t code) {
  ++ended;
  ended_inside += depth > 0;
  return __real_nghttp2_session_terminate_session(session, code);
}
// NOLINTEND(bugprone-reserved-identifier)
}

namespace {

struct Nothing final : http::Handler {
  Task<void> serve(http::Stream& stream) override {
    auto head = co_await stream.read_head();
    stream.reset(Errc::cancelled);
  }
};

std::string frame(unsigned char type, unsigned char flags, std::uint32_t stream, std::string_view payload) {
  std::string out{'\0', '\0', static_cast<char>(payload.size()), static_cast<char>(type), static_cast<char>(flags)};
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift & 0xff);
  return out.append(payload);
}

Task<void> talk(std::string said) {
  net::Pair pair;
  Nothing handler;
  const http2::Options options;
  std::set<http::Drainable*> open;
  Scope scope;
  scope.spawn(http2::serve(std::move(pair.far), handler, options, open));
  scope.spawn(net::send(*pair.near, std::move(said)));
  std::string answer;
  co_await net::read_to_end(*pair.near, answer);
  pair.near->abort(make_error(Errc::cancelled), false);
  co_await scope.join();
}

}  // namespace

TEST_CASE("h2: whatever ends a session, it is ended once nghttp2 has returned") {
  const std::string begin = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");
  struct Row {
    std::string_view name;
    std::function<std::string(std::uint32_t)> flood;
  };
  const std::string get("\x82\x86\x84\x01\x01\x61", 6);  // GET http://a/
  for (const Row& row :
       {Row{"PING", [](std::uint32_t) { return frame(6, 0, 0, "12345678"); }},
        Row{"SETTINGS", [](std::uint32_t) { return frame(4, 0, 0, ""); }},
        Row{"PRIORITY", [](std::uint32_t id) { return frame(2, 0, id, std::string_view("\0\0\0\0\1", 5)); }},
        Row{"HEADERS and RST_STREAM",
            [&](std::uint32_t id) { return frame(1, 5, id, get) + frame(3, 0, id, std::string_view("\0\0\0\x08", 4)); }},
        Row{"HEADERS that are refused", [](std::uint32_t id) { return frame(1, 5, id, "\x82"); }}}) {
    INFO(row.name);
    ended = ended_inside = 0;
    std::string said = begin;
    for (std::uint32_t i = 0; i < 20'000; ++i) said += row.flood(2 * i + 1);
    Loop loop;
    run(loop, talk(std::move(said)));
    CHECK(ended > 0);
    CHECK(ended_inside == 0);
  }
}
#endif
