#include "inspect/decode.hpp"

#define ZLIB_CONST
#include <zlib.h>

#include <catch2/catch.hpp>

using namespace cmux::inspect;

namespace {

std::string zipped(std::string_view bytes, int window) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string kHello = "hello hello hello";
// Of brotli's own tool.
const std::string kBrotli("\x0b\x02\x80hello\x03", 9);

}  // namespace

TEST_CASE("decode: gzip, both kinds of deflate, br, none, and several upon each other") {
  CHECK(decode("gzip", zipped(kHello, 31), 1000)->bytes == kHello);
  CHECK(decode("x-gzip", zipped(kHello, 31) + zipped(kHello, 31), 1000)->bytes == kHello + kHello);
  CHECK(decode("deflate", zipped(kHello, 15), 1000)->bytes == kHello);
  CHECK(decode("deflate", zipped(kHello, -15), 1000)->bytes == kHello);
  CHECK(decode("", kHello, 1000)->bytes == kHello);
  CHECK(decode("identity", kHello, 5)->bytes == "hello");
  CHECK(decode("br", kBrotli, 1000)->bytes == "hello");
  CHECK(decode("deflate, GZIP", zipped(zipped(kHello, 15), 31), 1000)->bytes == kHello);
  CHECK(decode("gzip", "", 1000)->bytes == "");
  CHECK_FALSE(decode("gzip", zipped(kHello, 31), 1000)->cut);
}

TEST_CASE("decode: what is cut is decoded as far as it goes, what is not known not at all") {
  const std::string whole = zipped(std::string(10'000, 'a') + kHello, 31);
  const auto part = decode("gzip", std::string_view(whole).substr(0, whole.size() - 9), 100'000);
  REQUIRE(part);
  CHECK(part->cut);
  CHECK(part->bytes.starts_with("aaaa"));
  CHECK_FALSE(decode("gzip", "not at all", 1000));
  CHECK_FALSE(decode("br", "not at all, \xff\xff\xff", 1000));
  CHECK_FALSE(decode("zstd", kHello, 1000));
  CHECK_FALSE(decode("gzip, gzip, gzip, gzip, gzip", kHello, 1000));
}

TEST_CASE("decode: a bomb takes no more than it may") {
  const std::string bomb = zipped(std::string(100 * 1024 * 1024, '\0'), 31);
  CHECK(bomb.size() < 200'000);
  const auto cut = decode("gzip", bomb, 1024 * 1024);
  REQUIRE(cut);
  CHECK(cut->cut);
  CHECK(cut->bytes.size() == 1024 * 1024);
  const auto twice = decode("gzip, gzip", zipped(bomb, 31), 1024 * 1024);
  REQUIRE(twice);
  CHECK(twice->cut);
  CHECK(twice->bytes.size() == 1024 * 1024);
}
