// A running `cmuxproxy gateway …`.
#pragma once

#include "harness.hpp"
#include "support.hpp"

namespace e2e {

class Gateway {
 public:
  // `role` and its flags; --listen, --admin and --instance are given. At its end it is stopped, and must exit with 0.
  explicit Gateway(Strings role, const Strings& flags = {});
  ~Gateway();
  std::uint16_t port() const { return port_; }
  Client connect() const { return Client(port_); }
  Process& process() { return process_; }
  Run cli(Strings args) const;  // cmuxproxy args… --instance NAME
  const Strings& environment() const { return environment_; }
  // Waits for a line of the log.
  bool logs(std::string_view text, milliseconds limit = kPatience) const;

  boost::json::object ready;
  TempDir home;

 private:
  Process process_;
  Strings environment_;
  std::string instance_;
  std::uint16_t port_ = 0;
};

}  // namespace e2e
