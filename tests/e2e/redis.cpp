#include "redis.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace e2e {
namespace {

// It takes no port 0: one that was free a moment ago.
std::uint16_t free_port() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const bool bound = bind(descriptor, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
                     getsockname(descriptor, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  close(descriptor);
  if (!bound) FAIL("there is no free port");
  return ntohs(at.sin_port);
}

}  // namespace

Redis::Redis(Strings flags) : flags_(std::move(flags)) {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    port_ = free_port();
    tls_port_ = free_port();
    start();
    if (answers()) return;
    process_->stop(SIGKILL);
  }
  FAIL("redis-server does not start:\n" << process_->stderr_text());
}

void Redis::start() {
  Strings argv{"redis-server",
               "--bind",
               "127.0.0.1",
               "--port",
               fmt::format("{}", port_),
               "--tls-port",
               fmt::format("{}", tls_port_),
               "--tls-cert-file",
               pki() + "/srv.crt",
               "--tls-key-file",
               pki() + "/srv.key",
               "--tls-ca-cert-file",
               pki() + "/ca.crt",
               "--tls-auth-clients",
               "no",
               "--save",
               "",
               "--appendonly",
               "no",
               "--dir",
               dir_.path};
  argv.insert(argv.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<Process>();
  process_->start(argv);
}

bool Redis::answers() {
  bool there = false;
  eventually([&] {
    const std::string said = run({"redis-cli", "-p", fmt::format("{}", port_), "PING"}).out;
    there = said.starts_with("PONG") || said.starts_with("NOAUTH");
    return there || !process_->running();
  });
  return there;
}

std::string Redis::ask(const Strings& command, std::string_view user, std::string_view input) const {
  Strings argv{"redis-cli", "-p", fmt::format("{}", port_)};
  Strings environment;
  if (const auto colon = user.find(':'); colon != user.npos) {
    argv.insert(argv.end(), {"--user", std::string(user.substr(0, colon))});
    environment = {"REDISCLI_AUTH=" + std::string(user.substr(colon + 1))};
  }
  argv.insert(argv.end(), command.begin(), command.end());
  const Run done = run(argv, environment, input);
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  std::string out = done.out;
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string Redis::url(std::string_view path) const { return fmt::format("redis://127.0.0.1:{}{}", port_, path); }
std::string Redis::tls_url() const { return fmt::format("rediss://localhost:{}", tls_port_); }

}  // namespace e2e
