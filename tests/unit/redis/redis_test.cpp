// Where a Redis is, and what it says: replies in pieces, nested, too large, and no replies at all.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "redis/reply.hpp"
#include "redis/url.hpp"

using namespace cmux;
using namespace cmux::redis;

TEST_CASE("redis url: host, port, database, user and password") {
  const auto plain = parse_url("redis://store.internal");
  REQUIRE(plain.has_value());
  CHECK(plain->origin.host == "store.internal");
  CHECK(plain->origin.port == 6379);
  CHECK_FALSE(plain->origin.tls);
  CHECK(plain->username.empty());
  CHECK(plain->text() == "redis://store.internal:6379");
  const auto all = parse_url("REDISS://a%40b:p%2fw%25d@[::1]:6380/7");
  REQUIRE(all.has_value());
  CHECK(all->origin.tls);
  CHECK(all->username == "a@b");
  CHECK(all->password == "p/w%d");
  CHECK(all->database == 7);
  CHECK(all->text() == "rediss://[::1]:6380/7");  // without the secret
  CHECK(parse_url("redis://:p@h/")->password == "p");
  CHECK(parse_url("redis://u@h")->username == "u");
  for (const std::string_view bad : {"", "redis", "redis://", "redis:///1", "http://h", "redis://h:0", "redis://h:65536",
                                     "redis://h/x", "redis://h/1x", "redis://h/-1", "redis://h/10000", "redis://h/99999999999",
                                     "redis://u:@h", "redis://%4:secret@h", "redis://%00:secret@h", "redis://a b"}) {
    CAPTURE(bad);
    const auto refused = parse_url(bad);
    REQUIRE(refused.has_error());
    CHECK(refused.error().detail.find("secret") == std::string::npos);
  }
}

TEST_CASE("redis replies: every kind, whole and byte by byte") {
  const std::string whole = "+OK\r\n$-1\r\n:42\r\n" + std::string("$5\r\na\r\nb\0\r\n", 11) +
                            "*2\r\n*1\r\n$1\r\nx\r\n:-7\r\n*0\r\n*-1\r\n-WRONGTYPE no\r\n";
  for (const std::size_t step : {whole.size(), std::size_t{1}}) {
    Replies replies;
    std::vector<Reply> out;
    for (std::size_t at = 0; at < whole.size(); at += step) {
      replies.feed(std::string_view(whole).substr(at, step));
      for (auto next = replies.next(); next && *next; next = replies.next()) out.push_back(std::move(**next));
    }
    REQUIRE(out.size() == 8);
    CHECK(out[0].text == "OK");
    CHECK(out[1].kind == Reply::Kind::nothing);
    CHECK(out[2].number == 42);
    CHECK(out[3].text == std::string("a\r\nb\0", 5));
    REQUIRE(out[4].items.size() == 2);
    CHECK(out[4].items[0].items.at(0).text == "x");
    CHECK(out[4].items[1].number == -7);
    CHECK(out[5].kind == Reply::Kind::list);
    CHECK(out[6].kind == Reply::Kind::nothing);
    CHECK(out[7].kind == Reply::Kind::error);
    CHECK(good(out[7]).error().detail.find("holds something else") != std::string::npos);
  }
}

TEST_CASE("redis replies: what is too large, too deep or no reply is an error, and costs little") {
  const auto refused = [](std::string_view wire) {
    Replies replies;
    replies.feed(wire);
    auto next = replies.next();
    while (next && *next) next = replies.next();
    return next ? std::string() : next.error().detail;
  };
  CHECK(refused("HTTP/1.1 400 Bad Request\r\n").find("does not speak Redis' protocol") != std::string::npos);
  CHECK(refused("\x15\x03\x03\r\n").find("does not speak") != std::string::npos);
  CHECK(refused("*2147483647\r\n").find("too many parts") != std::string::npos);
  CHECK(refused(fmt::format("*{}\r\n", Replies::kMostItems + 1)).find("too many parts") != std::string::npos);
  CHECK(refused("*50000\r\n*50000\r\n*50000\r\n").find("too many parts") != std::string::npos);
  CHECK_FALSE(refused("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n").empty());
  CHECK_FALSE(refused(":12x\r\n").empty());
  CHECK_FALSE(refused("$-5\r\n").empty());
  // One text that does not end.
  Replies replies;
  replies.feed("$500000000\r\n");
  const std::string piece(1024 * 1024, 'x');
  Result<std::optional<Reply>> next = replies.next();
  std::size_t fed = 0;
  for (; next && fed < 2 * Replies::kMostBytes; fed += piece.size()) {
    replies.feed(piece);
    next = replies.next();
  }
  REQUIRE(next.has_error());
  CHECK(next.error().detail.find("more than 8 MB") != std::string::npos);
  CHECK(fed <= Replies::kMostBytes + 2 * piece.size());
}

TEST_CASE("redis: what a server refuses is said in words, and what it says cannot write into the log") {
  for (const auto& [said, means] : {std::pair{"NOAUTH Authentication required.", "asks for a password"},
                                    {"WRONGPASS invalid username-password pair", "is wrong"},
                                    {"READONLY You can't write against a read only replica.", "read-only replica"},
                                    {"LOADING Redis is loading", "loading its data"},
                                    {"MOVED 3999 127.0.0.1:6381", "Redis Cluster"},
                                    {"NOPERM this user has no permissions", "ACL"},
                                    {"DENIED Redis is running in protected mode", "protected mode"},
                                    {"OOM command not allowed", "memory is full"},
                                    {"SOMETHING else", "it refuses: SOMETHING else"}}) {
    Reply reply{Reply::Kind::error, said, 0, {}};
    CHECK_THAT(good(reply).error().detail, Catch::Contains(means));
  }
  Reply reply{Reply::Kind::error, "a\n\x1b[31m" + std::string(1'000, 'x'), 0, {}};
  const std::string detail = good(reply).error().detail;
  CHECK(detail.find('\n') == std::string::npos);
  CHECK(detail.find('\x1b') == std::string::npos);
  CHECK(detail.size() < 300);
}
