#include "app/reload.hpp"

#include "app/settings_table.hpp"

namespace cmux::app {

std::vector<std::string> keep_fixed(const Settings& running, Settings& read) {
  std::vector<std::string> out;
  for (const Row& row : setting_rows())
    if (row.info.fixed && row.print(running) != row.print(read)) out.push_back(row.info.name);
  read.listen = running.listen;
  read.port_attempts = running.port_attempts;
  read.admin = running.admin;
  read.instance = running.instance;
  read.threads = running.threads;
  read.allow_remote = running.allow_remote;
  read.ready_fd = running.ready_fd;
  read.owner_pid = running.owner_pid;
  read.max_descriptors = running.max_descriptors;
  read.dumpable = running.dumpable;
  return out;
}

std::vector<std::string> differing(const Settings& one, const Settings& other) {
  std::vector<std::string> out;
  for (const Row& row : setting_rows())
    if (row.print(one) != row.print(other) || (row.same && !row.same(one, other))) out.push_back(row.info.name);
  return out;
}

std::vector<std::string> lines_of(const std::string& detail) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= detail.size();) {
    const std::size_t end = std::min(detail.find('\n', at), detail.size());
    out.push_back(detail.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace cmux::app
