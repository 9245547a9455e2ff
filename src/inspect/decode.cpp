#include "inspect/decode.hpp"

#include <brotli/decode.h>
#define ZLIB_CONST
#include <zlib.h>

#include <memory>
#include <vector>

#include "http/fields.hpp"

namespace cmux::inspect {
namespace {

constexpr std::size_t kMostCodings = 4;  // one upon the other
constexpr std::size_t kBlock = 64 * 1024;

// `window`: as zlib takes it, which says the format too.
std::optional<Decoded> unzip(std::string_view bytes, int window, std::size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  Decoded out;
  std::vector<char> block(kBlock);
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    const int outcome = inflate(&stream, Z_NO_FLUSH);
    const std::size_t got = block.size() - stream.avail_out;
    out.cut = got > most - out.bytes.size();
    out.bytes.append(block.data(), std::min(got, most - out.bytes.size()));
    if (out.cut) return out;
    if (outcome == Z_STREAM_END) {
      if (stream.avail_in == 0 || window < 0) return out;
      if (inflateReset(&stream) != Z_OK) return out;  // gzip may have more members (RFC 1952 section 2.2)
      continue;
    }
    if (outcome != Z_OK && outcome != Z_BUF_ERROR)
      return out.bytes.empty() ? std::nullopt : std::optional(Decoded{out.bytes, true});
    if (got == 0 && stream.avail_in == 0) break;
  }
  out.cut = true;
  return out;
}

std::optional<Decoded> unbrotli(std::string_view bytes, std::size_t most) {
  const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!state) return std::nullopt;
  const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  Decoded out;
  std::vector<std::uint8_t> block(kBlock);
  while (true) {
    std::uint8_t* to = block.data();
    std::size_t room = block.size();
    const BrotliDecoderResult outcome = BrotliDecoderDecompressStream(state.get(), &left, &next, &room, &to, nullptr);
    const std::size_t got = block.size() - room;
    out.cut = got > most - out.bytes.size();
    out.bytes.append(reinterpret_cast<const char*>(block.data()), std::min(got, most - out.bytes.size()));
    if (out.cut || outcome == BROTLI_DECODER_RESULT_SUCCESS) return out;
    if (outcome == BROTLI_DECODER_RESULT_ERROR && out.bytes.empty()) return std::nullopt;
    if (outcome != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) break;
  }
  out.cut = true;
  return out;
}

std::optional<Decoded> decode_one(std::string_view coding, std::string_view bytes, std::size_t most) {
  using http::equal_ignoring_case;
  if (equal_ignoring_case(coding, "identity")) return Decoded{std::string(bytes.substr(0, most)), bytes.size() > most};
  if (bytes.empty()) return Decoded{};
  if (equal_ignoring_case(coding, "gzip") || equal_ignoring_case(coding, "x-gzip")) return unzip(bytes, 15 + 16, most);
  if (equal_ignoring_case(coding, "br")) return unbrotli(bytes, most);
  if (!equal_ignoring_case(coding, "deflate")) return std::nullopt;
  // Some send it without the zlib format that the name stands for.
  if (auto zlib = unzip(bytes, 15, most)) return zlib;
  return unzip(bytes, -15, most);
}

}  // namespace

std::optional<Decoded> decode(std::string_view codings, std::string_view bytes, std::size_t most) {
  std::vector<std::string_view> list;
  http::for_each_token(codings, [&](std::string_view coding) { list.push_back(coding); });
  if (list.size() > kMostCodings) return std::nullopt;
  if (list.empty()) list.push_back("identity");
  Decoded out{std::string(bytes), false};
  while (!list.empty()) {
    auto next = decode_one(list.back(), out.bytes, most);
    if (!next) return std::nullopt;
    next->cut = next->cut || out.cut;
    out = std::move(*next);
    list.pop_back();
  }
  return out;
}

}  // namespace cmux::inspect
