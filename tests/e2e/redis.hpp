// A Redis server of Debian's, on ports of its own of 127.0.0.1. It keeps nothing on disk: killed, it has lost everything.
#pragma once

#include "harness.hpp"

namespace e2e {

class Redis {
 public:
  // `flags`: of redis-server, besides.
  explicit Redis(Strings flags = {});
  void start();  // once more, where it was
  void kill() { process_->stop(SIGKILL); }
  Process& process() { return *process_; }

  // What redis-cli prints, without the line's end; as that user where one is given, "name:password".
  std::string ask(const Strings& command, std::string_view user = {}, std::string_view input = {}) const;
  std::string url(std::string_view path = "") const;
  std::string tls_url() const;  // its certificate is that of pki()

 private:
  bool answers();

  TempDir dir_;
  const Strings flags_;
  std::unique_ptr<Process> process_;
  std::uint16_t port_ = 0, tls_port_ = 0;
};

}  // namespace e2e
