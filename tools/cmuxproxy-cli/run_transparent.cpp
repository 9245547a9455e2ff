#include "run_transparent.hpp"

#include "base/platform.hpp"
#include "cli.hpp"

#if CMUX_LINUX
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "admin/instance_file.hpp"
#include "base/private_folder.hpp"
#include "net/address.hpp"
#include "net/hand_over.hpp"
#include "run_netlink.hpp"

namespace cmux::cli {
namespace {

constexpr int kBacklog = 4096;
constexpr timeval kPatience{10, 0};  // for the instance

[[noreturn]] void fail(std::string_view what, int number) {
  throw Exit{kFailed, fmt::format("run --transparent: {}: {}", what, std::strerror(number))};
}

void must(bool good, const char* doing) {
  if (!good) throw std::system_error(errno, std::generic_category(), doing);
}

// A file of the system's that holds one number; -1 where there is none.
int number_in(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[16] = {};
  const ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  return count > 0 ? std::atoi(text) : -1;
}

// Who forbids namespaces, as far as the system tells, and what would allow them.
std::string what_would_help(const std::system_error& error) {
  const int why = error.code().value();
  if (why == ENOENT || why == EOPNOTSUPP || why == EPROTONOSUPPORT || why == EAFNOSUPPORT)
    return "this kernel lacks what is needed: as root, modprobe nft_tproxy";
  if (number_in("/proc/sys/user/max_user_namespaces") == 0)
    return "this system allows no user namespaces: as root, sysctl -w user.max_user_namespaces=10000";
  if (number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0)
    return "this system allows user namespaces to root alone: as root, sysctl -w kernel.unprivileged_userns_clone=1";
  if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
    return "AppArmor forbids namespaces here (Ubuntu 24.04 does): as root, sysctl -w "
           "kernel.apparmor_restrict_unprivileged_userns=0, or a profile for this program with the rule \"userns,\"";
  return "in a container, it has to be allowed: docker run --security-opt seccomp=unconfined, or, for root, --cap-add SYS_ADMIN "
         "--cap-add NET_ADMIN";
}

void write_map(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int why = errno;
  if (file >= 0) close(file);
  errno = why;
  must(written, path);
}

// Root needs no user namespace, in which it would be root over less than it is. Everybody else keeps his own number.
void leave() {
  if (unshare(CLONE_NEWNET) == 0) return;
  const uid_t user = geteuid();
  const gid_t group = getegid();
  must(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "making a namespace");
  write_map("/proc/self/setgroups", "deny");
  write_map("/proc/self/uid_map", fmt::format("{} {} 1", user, user));
  write_map("/proc/self/gid_map", fmt::format("{} {} 1", group, group));
}

void set(int socket, int level, int option) {
  const int on = 1;
  must(setsockopt(socket, level, option, &on, sizeof on) == 0, "a socket's options");
}

// It may stand for any address.
void be_transparent(int socket, int family) {
  if (family == AF_INET) set(socket, IPPROTO_IP, IP_TRANSPARENT);
  else set(socket, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

struct Sockets {
  std::vector<int> all;
  ~Sockets() {
    for (const int each : all) close(each);
  }
  int open(int family, int type) {
    all.push_back(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    must(all.back() >= 0, "a socket");
    if (family == AF_INET6) set(all.back(), IPPROTO_IPV6, IPV6_V6ONLY);
    return all.back();
  }
};

void bind_to(int socket, const char* ip, std::uint16_t port) {
  const auto endpoint = net::Endpoint::from_ip(ip, port);
  must(bind(socket, reinterpret_cast<const sockaddr*>(&endpoint->storage), endpoint->size) == 0, "bind");
}

std::uint16_t port_of(int socket) {
  net::Endpoint own;
  own.size = sizeof own.storage;
  must(getsockname(socket, reinterpret_cast<sockaddr*>(&own.storage), &own.size) == 0, "getsockname");
  return own.port();
}

std::uint16_t listen_on(Sockets& sockets, int family, const char* ip, std::uint16_t port) {
  const int socket = sockets.open(family, SOCK_STREAM);
  be_transparent(socket, family);
  bind_to(socket, ip, port);
  must(listen(socket, kBacklog) == 0, "listen");
  return port_of(socket);
}

void take_queries(Sockets& sockets, int family, const char* ip) {
  const int socket = sockets.open(family, SOCK_DGRAM);
  be_transparent(socket, family);
  if (family == AF_INET) set(socket, IPPROTO_IP, IP_PKTINFO);
  else set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  bind_to(socket, ip, 53);
}

// Is there a way to addresses of the world's IPv6? In there, connecting would always succeed; and a program that finds no way out
// only afterwards may not try IPv4.
bool has_ipv6_way() {
  const int socket = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto somewhere = net::Endpoint::from_ip("2000::1", 53);
  const bool way = socket >= 0 && connect(socket, reinterpret_cast<const sockaddr*>(&somewhere->storage), somewhere->size) == 0;
  if (socket >= 0) close(socket);
  return way;
}

// Returns the listeners' port.
std::uint16_t make_namespace(Sockets& sockets) {
  const bool ipv6_way = has_ipv6_way();
  leave();
  raise_loopback();
  own_every_address(AF_INET);
  const std::uint16_t port = listen_on(sockets, AF_INET, "127.0.0.1", 0);
  take_queries(sockets, AF_INET, "0.0.0.0");
  if (access("/proc/sys/net/ipv6/conf/lo/disable_ipv6", F_OK) == 0 && number_in("/proc/sys/net/ipv6/conf/lo/disable_ipv6") == 0) {
    if (ipv6_way) own_every_address(AF_INET6);
    listen_on(sockets, AF_INET6, "::1", port);
    take_queries(sockets, AF_INET6, "::");
  }
  divert_tcp(port);
  return port;
}

}  // namespace

void check_transparent() {}

Hand::Hand() {
  const auto folder = admin::runtime_directory();
  if (!folder) throw Exit{kFailed, folder.error().detail};
  if (const auto made = make_private_folder(*folder); !made) throw Exit{kFailed, made.error().detail};
  const std::string path = fmt::format("{}/run-{}.sock", *folder, getpid());
  const auto endpoint = net::Endpoint::from_unix(path);
  if (!endpoint)
    throw Exit{kFailed,
               fmt::format("run --transparent: {}; CMUXPROXY_RUNTIME_DIR can name a shorter one", endpoint.error().detail)};
  unlink(path.c_str());  // of a process that had this number before
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&endpoint->storage), endpoint->size) != 0) fail(path, errno);
  path_ = path;
  if (chmod(path.c_str(), 0600) != 0 || listen(listener_, 1) != 0) fail(path, errno);
}

Hand::~Hand() {
  if (!path_.empty()) unlink(path_.c_str());
  close(listener_);
}

std::uint16_t Hand::enter_namespace() {
  const int instance = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (instance < 0) fail("the instance does not take the namespace's listeners", errno);
  unlink(std::exchange(path_, {}).c_str());
  setsockopt(instance, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  std::uint16_t port = 0;
  try {
    Sockets sockets;
    port = make_namespace(sockets);
    if (const auto sent = net::hand_over(instance, sockets.all); !sent) throw Exit{kFailed, sent.error().detail};
  } catch (const std::system_error& error) {
    throw Exit{kFailed, fmt::format("run --transparent: {}: {}\n{}\nwithout --transparent, most programs find the workspace by "
                                    "proxy variables, and others by --forward",
                                    error.what(), "no namespace can be made or set up here", what_would_help(error))};
  }
  char answer = 0;
  const ssize_t count = recv(instance, &answer, 1, 0);
  const int why = count < 0 ? errno : ECONNRESET;
  close(instance);
  if (count != 1) fail("the instance does not take the namespace's listeners", why);
  return port;
}

}  // namespace cmux::cli

#else

namespace cmux::cli {

void check_transparent() {
  throw Exit{kUsage,
             "run --transparent: Linux alone has network namespaces; here proxy variables reach most programs, and --forward "
             "PORT[:LOCAL] the others"};
}
Hand::Hand() = default;
Hand::~Hand() = default;
std::uint16_t Hand::enter_namespace() { return 0; }

}  // namespace cmux::cli
#endif
