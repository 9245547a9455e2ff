#include "inspect/record.hpp"

#include <fmt/format.h>

#include <cstring>

#include "inspect/conversation.hpp"

namespace cmux::inspect {
namespace {

constexpr std::uint64_t kNoLength = ~std::uint64_t{0};

struct Scalars {
  std::uint64_t length = kNoLength;
  std::uint16_t status = 0;
  std::uint8_t version = 11;
  bool tunnel = false, trailers_accepted = false, origin_form = false;
  std::uint32_t sizes[6] = {};
};

constexpr std::string http::Head::*kTexts[] = {&http::Head::method, &http::Head::scheme,   &http::Head::authority,
                                               &http::Head::path,   &http::Head::protocol, &http::Head::reason};

}  // namespace

void Heads::keep(Which which, const http::Head& head) {
  Place place{static_cast<std::uint32_t>(block_.size()), 0};
  Scalars scalars;
  scalars.length = head.content_length.value_or(kNoLength);
  scalars.status = head.status;
  scalars.version = head.version;
  scalars.tunnel = head.tunnel, scalars.trailers_accepted = head.trailers_accepted, scalars.origin_form = head.origin_form;
  for (std::size_t i = 0; i < std::size(kTexts); ++i) scalars.sizes[i] = static_cast<std::uint32_t>((head.*kTexts[i]).size());
  block_.append(reinterpret_cast<const char*>(&scalars), sizeof scalars);
  for (const auto text : kTexts) block_.append(head.*text);
  head.fields.pack(block_);
  place.size = static_cast<std::uint32_t>(block_.size() - place.at);
  const Place& before = places_[which == response_sent ? response_received : request_received];
  const std::string_view all = block_;
  if (which != request_received && before.size == place.size && all.substr(before.at, before.size) == all.substr(place.at)) {
    block_.resize(place.at);
    place = before;
  }
  places_[which] = place;
}

http::Head Heads::head(Which which) const {
  http::Head out;
  std::string_view block = std::string_view(block_).substr(places_[which].at, places_[which].size);
  Scalars scalars;
  std::memcpy(&scalars, block.data(), sizeof scalars);
  block.remove_prefix(sizeof scalars);
  for (std::size_t i = 0; i < std::size(kTexts); ++i) {
    out.*kTexts[i] = block.substr(0, scalars.sizes[i]);
    block.remove_prefix(scalars.sizes[i]);
  }
  out.status = scalars.status;
  out.version = scalars.version;
  out.tunnel = scalars.tunnel, out.trailers_accepted = scalars.trailers_accepted, out.origin_form = scalars.origin_form;
  if (scalars.length != kNoLength) out.content_length = scalars.length;
  out.fields = http::Fields::unpacked(block);
  return out;
}

http::Head Heads::shown(Which which) const {
  http::Head out = head(which);
  const http::Fields fields = std::move(out.fields);
  out.fields = {};
  if (out.status == 0 && !out.authority.empty()) out.fields.add(http::Name::host, out.authority);
  for (const auto field : fields) out.fields.add(field.name, field.value, field.known, field.secret);
  if (out.content_length) out.fields.add(http::Name::content_length, std::to_string(*out.content_length));
  if (!out.protocol.empty()) out.fields.add(http::Name::upgrade, out.protocol);
  if (out.trailers_accepted) out.fields.add(http::Name::te, "trailers");
  return out;
}

void Heads::clear() {
  block_.clear();
  places_ = {};
}

Capture::Capture() = default;
Capture::~Capture() = default;

Capture::Capture(const Capture& other)
    : Record(other),
      level(other.level),
      target(other.target),
      heads(other.heads),
      request(other.request),
      response(other.response),
      conversation(other.conversation ? std::make_unique<Conversation>(*other.conversation) : nullptr) {}

std::size_t Capture::bytes() const {
  std::size_t sum = sizeof *this + heads.block().capacity() + request.bytes.capacity() + response.bytes.capacity();
  for (const std::string* const text : {&context, &url, &query, &type, &destination, &parent, &error, &detail, &target})
    sum += text->capacity();
  if (conversation) sum += conversation->bytes();
  return sum;
}

void Capture::forget() {
  heads.restore({}, {});
  request.bytes = {}, response.bytes = {};
  conversation = nullptr;
}

void Capture::clear() {
  constexpr std::size_t kLittle = 4 * 1024;
  static_cast<Figures&>(*this) = Figures();
  for (std::string* const text : {&context, &method, &url, &query, &type, &destination, &parent, &error, &detail, &target,
                                  &request.bytes, &response.bytes}) {
    if (text->capacity() > kLittle) *text = {};
    else text->clear();
  }
  if (heads.block().capacity() > kLittle) heads = {};
  else heads.clear();
  request.size = response.size = 0;
  request.ended = response.ended = false;
  conversation = nullptr;
  change = 0;
  charged = 0;
}

}  // namespace cmux::inspect
