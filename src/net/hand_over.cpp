#include "net/hand_over.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace cmux::net {
namespace {

constexpr std::size_t kRoom = CMSG_SPACE(sizeof(int) * kMostHandedOver);

// One byte, since a message of no bytes would look like the end; and the sockets beside it.
struct Message {
  char byte = 's';
  iovec piece{&byte, 1};
  alignas(cmsghdr) char room[kRoom] = {};
  msghdr head{};
  explicit Message(std::size_t size) {
    head.msg_iov = &piece;
    head.msg_iovlen = 1;
    head.msg_control = room;
    head.msg_controllen = size;
  }
  Message(const Message&) = delete;
};

}  // namespace

Result<void> hand_over(int to, const std::vector<int>& sockets) {
  if (sockets.empty() || sockets.size() > kMostHandedOver) return make_error(Errc::limit, "one to four sockets are handed over");
  Message message(CMSG_SPACE(sizeof(int) * sockets.size()));
  cmsghdr* const header = CMSG_FIRSTHDR(&message.head);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * sockets.size());
  std::memcpy(CMSG_DATA(header), sockets.data(), sizeof(int) * sockets.size());
  while (sendmsg(to, &message.head, 0) < 0)
    if (errno != EINTR) return from_errno(errno, "sendmsg");
  return {};
}

Result<std::vector<Socket>> receive_handed_over(int from) {
  Message message(kRoom);
  const ssize_t count = recvmsg(from, &message.head, MSG_DONTWAIT);
  std::vector<Socket> sockets;
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return sockets;
  if (count < 0) return from_errno(errno, "recvmsg");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message.head); header; header = CMSG_NXTHDR(&message.head, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t all = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < all; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      sockets.emplace_back(number);
      fcntl(number, F_SETFD, FD_CLOEXEC);
      fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK);
    }
  }
  if (count == 0) return make_error(Errc::closed, "the other side has gone");
  if (sockets.empty() || (message.head.msg_flags & MSG_CTRUNC) != 0) return make_error(Errc::malformed, "no sockets have come");
  return sockets;
}

}  // namespace cmux::net
