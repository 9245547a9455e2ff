#include "book.hpp"

namespace sim {

bool hit_named(std::string_view group, std::string_view name) {
  for (std::size_t i = 0; i < kMarks.size(); ++i)
    if (kMarks[i].name.starts_with(group) && kMarks[i].name.substr(group.size()) == name) return ++report().marks[i], true;
  return false;
}

char byte_of(int request, bool down, std::uint64_t position) {
  const std::uint64_t mixed = static_cast<std::uint64_t>(request) * 131 + (down ? 57 : 0) + position * 7 + (position >> 7);
  return static_cast<char>('!' + mixed % 89);
}

std::string bytes_of(int request, bool down, std::uint64_t from, std::uint64_t count) {
  std::string out(count, '\0');
  for (std::uint64_t i = 0; i < count; ++i) out[i] = byte_of(request, down, from + i);
  return out;
}

void Reading::take(std::string_view bytes) {
  for (const char byte : bytes) {
    if (request >= 0 && byte != byte_of(request, down, position))
      fail_with("bytes", "request {}: byte {} {} is another one than was sent", request, position, down ? "down" : "up");
    ++position;
  }
}

int Book::open(int context, std::string method, std::uint64_t up) {
  Entry entry;
  entry.context = context, entry.method = std::move(method), entry.up = up;
  entries_.push_back(std::move(entry));
  const int request = static_cast<int>(entries_.size()) - 1;
  trace("request", request, context, static_cast<std::int64_t>(up), "{}: {} of context {}, {} bytes up", request,
        entries_.back().method, context, up);
  return request;
}

Entry& Book::operator[](int request) {
  if (request < 0 || request >= static_cast<int>(entries_.size())) fail_with("tags", "there is no request {}", request);
  return entries_[static_cast<std::size_t>(request)];
}

void Book::executes(int request, bool may) {
  Entry& entry = (*this)[request];
  trace("executes", request, entry.executed);
  if (entry.forbidden) fail_with("authority", "request {} is malformed or nobody's, and a workspace has got it", request);
  if (!may) fail_with("authority", "request {} has come to another context's workspace", request);
  ++entry.executed;
  if (entry.executed > 1) hit(Mark::retried_repeated);
  if (std::exchange(entry.refused, false)) hit(entry.method == "POST" ? Mark::retried_post : Mark::retried_refused);
  const unsigned most = entry.method == "POST" || entry.method == "CONNECT" || clean_ ? 1 : 2;
  if (entry.executed > most) fail_with("once", "{} {} was executed {} times", entry.method, request, entry.executed);
}

void Book::answered(int request, unsigned status, const std::string& tag) {
  Entry& entry = (*this)[request];
  trace("answered", request, status, 0, "{}: {}{}", request, status, tag.empty() ? ", by the proxy" : "");
  if (!tag.empty() && tag != std::to_string(request)) fail_with("tags", "request {} got the answer of {}", request, tag);
  if (!tag.empty() && (entry.executed == 0 || entry.status != status))
    fail_with("tags", "request {} got a {} that no workspace has said", request, status);
  if (++entry.answers > 1) fail_with("one answer", "request {} was answered {} times", request, entry.answers);
  if (entry.ended) fail_with("one answer", "request {} was answered after its end", request);
  if (owed(entry) && tag.empty())
    fail_with("mild", "request {} was answered {} by the proxy, and could have been sent again", request, status);
  if (clean_ && tag.empty() && !entry.forbidden)
    fail_with("clean", "request {} was answered {} by the proxy, and nothing was wrong", request, status);
}

void Book::completed(int request, std::uint64_t down) {
  Entry& entry = (*this)[request];
  if (std::exchange(entry.ended, true)) fail_with("one answer", "request {} has ended twice", request);
  if (entry.status != 0 && entry.executed > 0 && entry.answers > 0 && down != UINT64_MAX && (down != entry.down || !entry.whole))
    fail_with("bytes", "request {}: the answer ended well after {} bytes, and {} of {} were sent", request, down,
              entry.whole ? "all" : "not all", entry.down);
}

void Book::broken(int request) {
  Entry& entry = (*this)[request];
  if (owed(entry)) fail_with("mild", "request {} got no answer, and it could have been sent again", request);
  trace("broken off", request, entry.answers);
  if (std::exchange(entry.ended, true)) fail_with("one answer", "request {} has ended twice", request);
  if (clean_) fail_with("clean", "request {} got no answer, and nothing was wrong", request);
}

void Book::close() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (!entry.ended && !entry.given_up) fail_with("one answer", "request {} has neither an answer nor an end", i);
    if (clean_ && !entry.forbidden && entry.executed != 1)
      fail_with("clean", "request {} was executed {} times", i, entry.executed);
  }
}

}  // namespace sim
