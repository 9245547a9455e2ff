#include "redis/connection.hpp"

#include <hiredis/hiredis.h>

#include <fmt/format.h>

#include <new>

namespace cmux::redis {
namespace {

constexpr std::size_t kReadAtOnce = 64 * 1024;

void append(std::string& out, const Command& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* text = nullptr;
  const auto size = redisFormatCommandArgv(&text, static_cast<int>(words.size()), words.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
}

}  // namespace

Task<Result<std::unique_ptr<Connection>>> Connection::open(upstream::Dialler& dialler, Url url) {
  auto reached = co_await dialler.reach(url.origin, upstream::Use::own, nullptr, {});
  if (!reached) co_return reached.error();
  std::unique_ptr<net::Transport> transport = std::move(reached->transport);
  if (url.origin.tls) {
    auto secured = co_await dialler.secure(std::move(transport), url.origin, {});
    if (!secured) co_return secured.error();
    transport = std::move(*secured);
  }
  std::unique_ptr<Connection> made(new Connection(std::move(transport)));
  auto known = co_await made->log_in(url);
  if (!known) co_return known.error();
  co_return std::move(made);
}

Task<Result<void>> Connection::log_in(const Url& url) {
  if (!url.password.empty()) {
    Command command{"AUTH", url.username, url.password};
    if (url.username.empty()) command.erase(command.begin() + 1);
    auto done = co_await ask(std::move(command));
    if (!done) co_return done.error();
  }
  if (url.database == 0) co_return Result<void>{};
  Command command{"SELECT", fmt::format("{}", url.database)};
  auto done = co_await ask(std::move(command));
  if (!done) co_return done.error();
  co_return Result<void>{};
}

Task<Result<Reply>> Connection::ask(Command command, milliseconds longer) {
  std::vector<Command> one;
  one.push_back(std::move(command));
  auto replies = co_await ask_all(std::move(one), longer);
  if (!replies) co_return replies.error();
  co_return good(std::move(replies->front()));
}

Task<Result<std::vector<Reply>>> Connection::ask_all(std::vector<Command> commands, milliseconds longer) {
  std::string text;
  for (const Command& command : commands) append(text, command);
  Deadline late(
      [](void* transport) {
        static_cast<net::Transport*>(transport)->abort(make_error(Errc::timeout, "it does not answer"), false);
      },
      transport_.get());
  late.after(kAnswer + longer);
  std::vector<Reply> out;
  auto written = co_await net::write_all(*transport_, text);
  // Who refuses a connection says so, and ends it: that is worth more than the error of the write.
  while (out.size() < commands.size()) {
    auto reply = replies_.next();
    if (!reply) co_return reply.error();
    if (*reply) {
      out.push_back(std::move(**reply));
      continue;
    }
    auto read = co_await net::read_some(*transport_, buffer_, kReadAtOnce);
    if (!read) co_return written ? read.error() : written.error();
    if (*read == 0) co_return make_error(Errc::closed, "it has ended the connection");
    replies_.feed(buffer_.view());
    buffer_.clear();
  }
  co_return std::move(out);
}

}  // namespace cmux::redis
