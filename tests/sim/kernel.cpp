#include "kernel.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>

#include "report.hpp"

namespace sim {

Kernel* kernel = nullptr;

std::string Address::text() const {
  char ip[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, ip, sizeof ip);
    return fmt::format("{}:{}", ip, port());
  }
  inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, ip, sizeof ip);
  return fmt::format("[{}]:{}", ip, port());
}

std::uint16_t Address::port() const {
  return ntohs(storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                                            : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

// --- files and epoll ---------------------------------------------------------------------------------------------------------

File::~File() {
  while (!watches.empty()) watches.back()->epoll->forget(*this);
}

void File::wake(std::uint32_t events) {
  for (Watch* watch : watches)
    if ((watch->event.events & events) != 0 || (events & (EPOLLERR | EPOLLHUP)) != 0) watch->epoll->queue(*watch);
}

void Epoll::close() {
  for (auto& [key, watch] : watches_) std::erase(watch->file->watches, watch.get());
  watches_.clear();
  ready_.clear();
}

void Epoll::queue(Watch& watch) {
  if (!watch.queued) watch.queued = true, ready_.push_back(&watch);
  wake(EPOLLIN);
}

void Epoll::forget(File& file) {
  for (auto it = watches_.begin(); it != watches_.end();)
    if (it->second->file == &file) {
      std::erase(ready_, it->second.get());
      std::erase(file.watches, it->second.get());
      it = watches_.erase(it);
    } else ++it;
}

std::uint32_t Epoll::mask() const {
  for (const Watch* watch : ready_)
    if ((watch->file->mask() & (watch->event.events | EPOLLERR | EPOLLHUP)) != 0) return EPOLLIN;
  return 0;
}

int Epoll::control(int operation, int descriptor, File& file, const epoll_event* event) {
  const auto key = std::make_pair(descriptor, &file);
  const auto found = watches_.find(key);
  const auto error = [](int why) { return errno = why, -1; };
  if (operation == EPOLL_CTL_DEL) {
    if (found == watches_.end()) return error(ENOENT);
    std::erase(ready_, found->second.get());
    std::erase(file.watches, found->second.get());
    watches_.erase(found);
    return 0;
  }
  Watch* watch = nullptr;
  if (operation == EPOLL_CTL_ADD) {
    if (found != watches_.end()) return error(EEXIST);
    watch = (watches_[key] = std::make_unique<Watch>(Watch{this, &file, descriptor, *event})).get();
    file.watches.push_back(watch);
  } else {
    if (found == watches_.end()) return error(ENOENT);
    watch = found->second.get();
    watch->event = *event;
  }
  if ((file.mask() & (event->events | EPOLLERR | EPOLLHUP)) != 0) queue(*watch);
  return 0;
}

int Epoll::take(epoll_event* events, int most) {
  int count = 0;
  std::vector<Watch*> again;
  while (!ready_.empty() && count < most) {
    Watch* const watch = ready_.front();
    ready_.pop_front();
    watch->queued = false;
    const std::uint32_t now = watch->file->mask() & (watch->event.events | EPOLLERR | EPOLLHUP);
    if (now == 0) continue;
    events[count] = watch->event;
    events[count++].events = now;
    if ((watch->event.events & EPOLLET) == 0) again.push_back(watch);
  }
  for (Watch* watch : again) watch->queued = true, ready_.push_back(watch);
  // In what order news are told is nobody's promise.
  for (int i = count - 1; i > 0; --i) std::swap(events[i], events[kernel->random.below(static_cast<std::uint64_t>(i) + 1)]);
  return count;
}

Kernel::Kernel(std::uint64_t seed) : random(seed) {}

int Kernel::open(std::shared_ptr<File> file) {
  int number = kFirst;
  for (const auto& [taken, other] : files_) {
    if (taken != number) break;
    ++number;
  }
  if (number >= kFirst + limit) return errno = EMFILE, -1;
  if (file->number < 0) file->number = number;
  ++file->descriptors;
  files_[number] = std::move(file);
  return number;
}

int Kernel::duplicate(int descriptor) { return open(files_.at(descriptor)); }

int Kernel::close(int descriptor) {
  const auto found = files_.find(descriptor);
  if (found == files_.end()) fail_with("descriptors", "close({}), which is not open", descriptor);
  const std::shared_ptr<File> file = std::move(found->second);
  files_.erase(found);
  if (--file->descriptors > 0) return 0;
  while (!file->watches.empty()) file->watches.back()->epoll->forget(*file);
  trace("close", descriptor);
  file->close();
  return 0;
}

std::string Kernel::list_files() const {
  std::string out;
  for (const auto& [number, file] : files_) {
    const auto* const socket = dynamic_cast<const Socket*>(file.get());
    const char* const kind = dynamic_cast<const Epoll*>(file.get()) ? "epoll" : "event";
    if (socket) out += fmt::format(" {}:{}->{}", number, socket->local.text(), socket->peer_address.text());
    else out += fmt::format(" {}:{}", number, kind);
  }
  return out;
}

// --- time --------------------------------------------------------------------------------------------------------------------

void Kernel::at(Time when, std::function<void()> what) { due_.push({std::max(when, now_), order_++, std::move(what)}); }

void Kernel::deliver() {
  while (!due_.empty() && due_.top().when <= now_) {
    const std::function<void()> what = due_.top().what;
    due_.pop();
    what();
  }
}

bool Kernel::spend() {
  if (++report().events > 3'000'000) fail("progress", "three million system calls, and the run has not ended");
  now_ += random.between(1, 20) * kMicro;
  deliver();
  return interrupts > 0 && random.chance(interrupts);
}

int Kernel::wait(Epoll& epoll, epoll_event* events, int most, int milliseconds) {
  if (spend() && milliseconds != 0) return errno = EINTR, -1;
  const Time until = milliseconds < 0 ? INT64_MAX : now_ + milliseconds * kMilli;
  while (true) {
    const int count = epoll.take(events, most);
    if (count > 0 || until <= now_) return count;
    const Time next = due_.empty() ? until : std::min(until, due_.top().when);
    if (next == INT64_MAX) fail("deadlock", "nothing will ever happen again, and the run has not ended");
    now_ = std::max(now_, next);
    if (now_ > horizon) fail("time limits", "something has waited past the run's horizon");
    deliver();
  }
}

}  // namespace sim
