// The messages: rtnetlink(7) for device and addresses; nfnetlink's batches for the table (linux/netfilter/nf_tables.h).
#include "base/platform.hpp"

#if CMUX_LINUX
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "run_netlink.hpp"

namespace cmux::cli {
namespace {

constexpr int kLoopback = 1;  // the number of lo in every namespace
constexpr std::size_t kMostAnswer = 8192;
constexpr timeval kPatience{5, 0};  // the kernel may have to load a module

// Messages, one behind the other, with attributes that may hold attributes. Every part is aligned to four bytes.
class Messages {
 public:
  template <class Header>
  void begin(std::uint16_t type, std::uint16_t flags, const Header& header) {
    message_ = bytes_.size();
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(&head, sizeof head);
    append(&header, sizeof header);
    set_length();
  }
  void put(std::uint16_t type, const void* data, std::size_t size) {
    const nlattr head{static_cast<std::uint16_t>(sizeof head + size), type};
    append(&head, sizeof head);
    append(data, size);
    set_length();
  }
  void put(std::uint16_t type, const char* text) { put(type, text, std::strlen(text) + 1); }
  void put_number(std::uint16_t type, std::uint32_t number) {  // nf_tables' are in network byte order
    const std::uint32_t in_order = htonl(number);
    put(type, &in_order, sizeof in_order);
  }
  template <class Fill>
  void nest(std::uint16_t type, Fill fill) {
    const std::size_t at = bytes_.size();
    put(static_cast<std::uint16_t>(type | NLA_F_NESTED), nullptr, 0);
    fill();
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at + offsetof(nlattr, nla_len), &length, sizeof length);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void append(const void* data, std::size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  void set_length() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - message_);
    std::memcpy(bytes_.data() + message_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  }

  std::string bytes_;
  std::size_t message_ = 0;
};

// Sends them and hears `answers` acknowledgements: 0, or the first error.
int ask(int protocol, const Messages& messages, int answers) {
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (socket < 0) return errno;
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  int failed = 0;
  const std::string& bytes = messages.bytes();
  if (sendto(socket, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    failed = errno;
  alignas(nlmsghdr) char answer[kMostAnswer];
  while (answers > 0 && failed == 0) {
    const ssize_t count = recv(socket, answer, sizeof answer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failed = errno;
    auto left = static_cast<int>(count);
    for (auto* head = reinterpret_cast<const nlmsghdr*>(answer); failed == 0 && NLMSG_OK(head, left);
         head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR) continue;
      failed = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      --answers;
    }
  }
  close(socket);
  return failed;
}

void must(int failed, const char* doing) {
  if (failed != 0) throw std::system_error(failed, std::generic_category(), doing);
}

constexpr std::uint16_t nft(int message) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message); }

constexpr const char* kTable = "cmuxproxy";
constexpr const char* kChain = "loopback";
constexpr std::uint32_t kMangle = static_cast<std::uint32_t>(-150);  // the usual priority of what chooses sockets

}  // namespace

void raise_loopback() {
  Messages message;
  ifinfomsg device{};
  device.ifi_index = kLoopback;
  device.ifi_flags = device.ifi_change = IFF_UP;
  message.begin(RTM_NEWLINK, NLM_F_ACK, device);
  must(ask(NETLINK_ROUTE, message, 1), "raising lo");
}

void own_every_address(int family) {
  Messages message;
  rtmsg route{};
  route.rtm_family = static_cast<unsigned char>(family);
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  message.begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, route);
  constexpr int device = kLoopback;
  message.put(RTA_OIF, &device, sizeof device);
  must(ask(NETLINK_ROUTE, message, 1), "adding a route");
}

// table inet cmuxproxy { chain loopback { type filter hook prerouting priority mangle; meta l4proto tcp tproxy to :PORT } }
void divert_tcp(std::uint16_t port) {
  const nfgenmsg batch{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)}, inet{NFPROTO_INET, NFNETLINK_V0, 0};
  Messages messages;
  messages.begin(NFNL_MSG_BATCH_BEGIN, 0, batch);
  messages.begin(nft(NFT_MSG_NEWTABLE), NLM_F_ACK | NLM_F_CREATE, inet);
  messages.put(NFTA_TABLE_NAME, kTable);
  messages.begin(nft(NFT_MSG_NEWCHAIN), NLM_F_ACK | NLM_F_CREATE, inet);
  messages.put(NFTA_CHAIN_TABLE, kTable);
  messages.put(NFTA_CHAIN_NAME, kChain);
  messages.put(NFTA_CHAIN_TYPE, "filter");
  messages.nest(NFTA_CHAIN_HOOK, [&] {
    messages.put_number(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
    messages.put_number(NFTA_HOOK_PRIORITY, kMangle);
  });
  messages.begin(nft(NFT_MSG_NEWRULE), NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND, inet);
  messages.put(NFTA_RULE_TABLE, kTable);
  messages.put(NFTA_RULE_CHAIN, kChain);
  const auto expression = [&](const char* name, auto fill) {
    messages.nest(NFTA_LIST_ELEM, [&] {
      messages.put(NFTA_EXPR_NAME, name);
      messages.nest(NFTA_EXPR_DATA, fill);
    });
  };
  messages.nest(NFTA_RULE_EXPRESSIONS, [&] {
    expression("meta", [&] {
      messages.put_number(NFTA_META_KEY, NFT_META_L4PROTO);
      messages.put_number(NFTA_META_DREG, NFT_REG_1);
    });
    expression("cmp", [&] {
      constexpr std::uint8_t protocol = IPPROTO_TCP;
      messages.put_number(NFTA_CMP_SREG, NFT_REG_1);
      messages.put_number(NFTA_CMP_OP, NFT_CMP_EQ);
      messages.nest(NFTA_CMP_DATA, [&] { messages.put(NFTA_DATA_VALUE, &protocol, sizeof protocol); });
    });
    expression("immediate", [&] {
      const std::uint16_t number = htons(port);
      messages.put_number(NFTA_IMMEDIATE_DREG, NFT_REG_1);
      messages.nest(NFTA_IMMEDIATE_DATA, [&] { messages.put(NFTA_DATA_VALUE, &number, sizeof number); });
    });
    expression("tproxy", [&] {
      messages.put_number(NFTA_TPROXY_FAMILY, NFPROTO_UNSPEC);
      messages.put_number(NFTA_TPROXY_REG_PORT, NFT_REG_1);
    });
  });
  messages.begin(NFNL_MSG_BATCH_END, 0, batch);
  must(ask(NETLINK_NETFILTER, messages, 3), "diverting connections by nf_tables");
}

}  // namespace cmux::cli
#endif
