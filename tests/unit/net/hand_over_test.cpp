#include "net/hand_over.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>

using namespace cmux;
using namespace cmux::net;

namespace {

std::array<Socket, 2> pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("socketpair");
  return {Socket(ends[0]), Socket(ends[1])};
}

// Sockets to hand over, each with the other end of its connection.
struct Wares {
  std::vector<Socket> ends, handed;
  std::vector<int> numbers;
  explicit Wares(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto [end, other] = pair();
      numbers.push_back(other.get());
      ends.push_back(std::move(end));
      handed.push_back(std::move(other));
    }
  }
};

// Without a look at how many there are.
void send_unchecked(int to, const std::vector<int>& sockets) {
  char byte = 's';
  iovec piece{&byte, 1};
  alignas(cmsghdr) char room[256] = {};
  msghdr head{};
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  head.msg_control = room;
  head.msg_controllen = CMSG_SPACE(sizeof(int) * sockets.size());
  cmsghdr* const header = CMSG_FIRSTHDR(&head);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * sockets.size());
  std::memcpy(CMSG_DATA(header), sockets.data(), sizeof(int) * sockets.size());
  REQUIRE(sendmsg(to, &head, 0) == 1);
}

Errc error_of(int from) {
  const auto received = receive_handed_over(from);
  REQUIRE(received.has_error());
  return received.error().code;
}

}  // namespace

TEST_CASE("hand over: as many sockets as may be come whole") {
  for (std::size_t count = 1; count <= kMostHandedOver; ++count) {
    CAPTURE(count);
    auto [from, to] = pair();
    Wares wares(count);
    REQUIRE(hand_over(from.get(), wares.numbers).has_value());
    const auto received = receive_handed_over(to.get());
    REQUIRE(received.has_value());
    REQUIRE(received->size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      const int number = (*received)[i].get();
      CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
      CHECK((fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
      char byte = static_cast<char>('a' + i);
      CHECK(write(number, &byte, 1) == 1);
      byte = 0;
      CHECK(read(wares.ends[i].get(), &byte, 1) == 1);
      CHECK(byte == static_cast<char>('a' + i));
    }
  }
}

TEST_CASE("hand over: of more than may be, none is taken") {
  auto [from, to] = pair();
  Wares wares(kMostHandedOver + 1);
  CHECK(hand_over(from.get(), wares.numbers).error().code == Errc::limit);
  CHECK(hand_over(from.get(), {}).error().code == Errc::limit);
  CHECK(receive_handed_over(to.get()).value().empty());
  send_unchecked(from.get(), wares.numbers);
  CHECK(error_of(to.get()) == Errc::malformed);
  wares.handed.clear();
  // Nobody has them now, and so each connection is at its end.
  for (std::size_t i = 0; i < kMostHandedOver; ++i) {
    char byte;
    CHECK(recv(wares.ends[i].get(), &byte, 1, MSG_DONTWAIT) == 0);
  }
}

TEST_CASE("hand over: nothing yet, something else, and the end are told apart") {
  auto [from, to] = pair();
  CHECK(receive_handed_over(to.get()).value().empty());
  REQUIRE(write(from.get(), "x", 1) == 1);
  CHECK(error_of(to.get()) == Errc::malformed);
  from = Socket();
  CHECK(error_of(to.get()) == Errc::closed);
}
