#include "app/file_watch.hpp"

namespace cmux::app {

FileWatch::FileWatch(std::string path, std::function<void()> changed) : path_(std::move(path)), changed_(std::move(changed)) {
  told_ = seen_ = look();
  next_.after(kLook);
}

FileWatch::State FileWatch::look() const {
  std::error_code gone;
  State state;
  state.written = std::filesystem::last_write_time(path_, gone);
  if (!gone) state.size = std::filesystem::file_size(path_, gone);
  state.there = !gone;
  return gone ? State{} : state;
}

void FileWatch::on_time() {
  next_.after(kLook);
  const State now = look();
  const bool rests = now == std::exchange(seen_, now);
  if (!rests || now == told_ || !now.there) return;  // one that is gone may be between two names
  told_ = now;
  const auto changed = changed_;  // which may end this
  changed();
}

}  // namespace cmux::app
