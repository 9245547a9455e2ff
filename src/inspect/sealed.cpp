#include "inspect/sealed.hpp"

#include <cstring>

#include "inspect/conversation.hpp"

namespace cmux::inspect {
namespace {

constexpr std::string Record::*kTexts[] = {&Record::context,     &Record::method, &Record::url,   &Record::query, &Record::type,
                                           &Record::destination, &Record::parent, &Record::error, &Record::detail};

}  // namespace

// At the block's beginning; the texts follow in the order of their sizes.
struct Sealed::Index {
  Figures figures;
  Heads::Places places;
  std::uint64_t request_size, response_size;
  std::uint32_t sizes[std::size(kTexts) + 4];  // target, heads, request, response behind them
  Level level;
  bool request_ended, response_ended;
};

Sealed::Sealed(Capture& capture, Arena& arena)
    : number_(capture.number), change_(capture.change), conversation_(std::move(capture.conversation)) {
  Index index;
  index.figures = capture;
  index.places = capture.heads.places();
  index.request_size = capture.request.size, index.response_size = capture.response.size;
  index.level = capture.level;
  index.request_ended = capture.request.ended, index.response_ended = capture.response.ended;
  std::array<std::string_view, std::size(index.sizes)> texts;
  std::size_t at = 0;
  for (const auto text : kTexts) texts[at++] = capture.*text;
  texts[at++] = capture.target;
  texts[at++] = capture.heads.block();
  texts[at++] = capture.request.bytes;
  texts[at++] = capture.response.bytes;
  std::size_t size = sizeof index;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    index.sizes[i] = static_cast<std::uint32_t>(texts[i].size());
    size += texts[i].size();
  }
  char* to = arena.take(size);
  block_ = to;
  std::memcpy(to, &index, sizeof index);
  to += sizeof index;
  for (const std::string_view text : texts) {
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to += text.size();
  }
}

Sealed::Sealed(Sealed&&) noexcept = default;
Sealed::~Sealed() = default;

// Reads the texts one after the other.
struct Sealed::Reader {
  explicit Reader(const Sealed& sealed) : next(sealed.block_ + sizeof(Index)) {
    std::memcpy(&index, sealed.block_, sizeof index);
  }
  std::string_view text() {
    const std::string_view out(next, index.sizes[at++]);
    next += out.size();
    return out;
  }
  void read(Record& record) {
    static_cast<Figures&>(record) = index.figures;
    for (const auto each : kTexts) record.*each = text();
  }
  Index index;
  const char* next;
  std::size_t at = 0;
};

std::size_t Sealed::bytes() const { return sizeof *this + (conversation_ ? conversation_->bytes() : 0); }

bool Sealed::is_of(std::string_view context) const { return Reader(*this).text() == context; }

Record Sealed::record() const {
  Record out;
  Reader(*this).read(out);
  return out;
}

CapturePtr Sealed::capture() const {
  auto out = std::make_shared<Capture>();
  Reader reader(*this);
  reader.read(*out);
  out->level = reader.index.level;
  out->target = reader.text();
  out->heads.restore(reader.text(), reader.index.places);
  out->request = {std::string(reader.text()), reader.index.request_size, reader.index.request_ended};
  out->response = {std::string(reader.text()), reader.index.response_size, reader.index.response_ended};
  if (conversation_) out->conversation = std::make_unique<Conversation>(*conversation_);
  return out;
}

}  // namespace cmux::inspect
