// FileWatch: tells when a file has changed. It looks once a second, which sees what editors, links and network folders do alike,
// and waits until two looks see the same: nobody is told of a file that is being written. On the loop that is current.
#pragma once

#include <filesystem>
#include <functional>

#include "base/loop.hpp"

namespace cmux::app {

class FileWatch {
 public:
  static constexpr milliseconds kLook{1'000};

  FileWatch(std::string path, std::function<void()> changed);
  FileWatch(const FileWatch&) = delete;

 private:
  struct State {
    std::filesystem::file_time_type written{};
    std::uintmax_t size = 0;
    bool there = false;
    bool operator==(const State&) const = default;
  };
  State look() const;
  void on_time();

  const std::string path_;
  const std::function<void()> changed_;
  State told_, seen_;
  Deadline next_{[](void* self) { static_cast<FileWatch*>(self)->on_time(); }, this};
};

}  // namespace cmux::app
