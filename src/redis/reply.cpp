#include "redis/reply.hpp"

#include <hiredis/hiredis.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.hpp"

namespace cmux::redis {
namespace {

struct Meaning {
  std::string_view begins, says;
};
constexpr std::array<Meaning, 14> kMeanings{{
    {"NOAUTH", "it asks for a password"},
    {"WRONGPASS", "user or password is wrong"},
    {"ERR invalid password", "the password is wrong"},
    {"ERR AUTH <password> called without any password", "a password was given, and it has none for its default user"},
    {"ERR Client sent AUTH, but no password is set", "a password was given, and it has none"},
    {"NOPERM", "its user may not do that (ACL)"},
    {"READONLY", "it is a read-only replica: the primary is needed"},
    {"LOADING", "it is loading its data"},
    {"MASTERDOWN", "it is a replica that has lost its primary"},
    {"MOVED", "it is a Redis Cluster: a single server, or a primary with replicas, is needed"},
    {"CROSSSLOT", "it is a Redis Cluster: a single server, or a primary with replicas, is needed"},
    {"WRONGTYPE", "a key of the fleet's holds something else: the fleet needs a database of its own"},
    {"OOM", "its memory is full (maxmemory)"},
    {"DENIED", "it is in protected mode: it needs a password, or an address to listen on (bind)"},
}};

// Replies are made in place: hiredis hands back what was made of the level above.
Reply* place_of(const redisReadTask* task) {
  if (!task->parent) return new Reply;
  return &static_cast<Reply*>(task->parent->obj)->items[static_cast<std::size_t>(task->idx)];
}

void* make_text(const redisReadTask* task, char* bytes, std::size_t size) {
  Reply* const out = place_of(task);
  out->kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::error : Reply::Kind::text;
  out->text.assign(bytes, size);
  return out;
}

// How many come is an int or a size_t, by the version of hiredis.
template <class Count>
void* make_list(const redisReadTask* task, Count count) {
  auto& items = *static_cast<std::size_t*>(task->privdata);
  items += static_cast<std::size_t>(count);
  if (count < 0 || items > Replies::kMostItems) return nullptr;  // which it takes for memory that has run out
  Reply* const out = place_of(task);
  out->kind = Reply::Kind::list;
  out->items.resize(static_cast<std::size_t>(count));
  return out;
}

void* make_number(const redisReadTask* task, long long number) {
  Reply* const out = place_of(task);
  out->kind = Reply::Kind::number;
  out->number = number;
  return out;
}

void* make_nothing(const redisReadTask* task) { return place_of(task); }

void free_reply(void* reply) { delete static_cast<Reply*>(reply); }

// What came in with 1.0 is of RESP3, which nobody asks for: null there ends the connection.
redisReplyObjectFunctions* functions() {
  static redisReplyObjectFunctions made = [] {
    redisReplyObjectFunctions out{};
    out.createString = make_text;
    out.createArray = make_list;
    out.createInteger = make_number;
    out.createNil = make_nothing;
    out.freeObject = free_reply;
    return out;
  }();
  return &made;
}

}  // namespace

Error explained(const Reply& refusal) {
  const std::string said = log::printable(refusal.text.substr(0, 200));
  for (const Meaning& meaning : kMeanings)
    if (refusal.text.starts_with(meaning.begins)) return make_error(Errc::refused, fmt::format("{} ({})", meaning.says, said));
  return make_error(Errc::refused, fmt::format("it refuses: {}", said));
}

Result<Reply> good(Reply reply) {
  if (reply.kind == Reply::Kind::error) return explained(reply);
  return reply;
}

Replies::Replies() : reader_(redisReaderCreateWithFunctions(functions())) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = &items_;
}

Replies::~Replies() { redisReaderFree(reader_); }

void Replies::feed(std::string_view bytes) {
  waiting_ += bytes.size();
  redisReaderFeed(reader_, bytes.data(), bytes.size());
}

Result<std::optional<Reply>> Replies::next() {
  void* made = nullptr;
  if (redisReaderGetReply(reader_, &made) != REDIS_OK) {
    if (items_ > kMostItems) return make_error(Errc::too_large, "a reply has too many parts");
    return make_error(Errc::malformed, fmt::format("it does not speak Redis' protocol ({})", log::printable(reader_->errstr)));
  }
  if (!made) {
    if (waiting_ > kMostBytes) return make_error(Errc::too_large, fmt::format("a reply has more than {} MB", kMostBytes >> 20));
    return std::optional<Reply>();
  }
  std::optional<Reply> out(std::move(*static_cast<Reply*>(made)));
  free_reply(made);
  items_ = 0;
  waiting_ = reader_->len - reader_->pos;
  return out;
}

}  // namespace cmux::redis
