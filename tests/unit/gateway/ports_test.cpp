// Who listens on this machine, as the system's own table says it.
#include "gateway/ports.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::gateway;

namespace {

constexpr std::string_view kTitle =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
std::string line(int number, std::string_view local, std::string_view state) {
  return "  " + std::to_string(number) + ": " + std::string(local) + " 00000000:0000 " + std::string(state) +
         " 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0\n";
}

}  // namespace

TEST_CASE("gateway ports: the table's lines up to the first that does not listen, whatever stands in them") {
  // As a machine whose bytes are in the other order from the network's writes them.
  const std::string text = std::string(kTitle) + line(0, "0100007F:0BB8", "0A") + line(1, "00000000:1F90", "0A") +
                           line(2, "00000000000000000000000001000000:0016", "0A") + line(3, "0100007F:1770", "01") +
                           line(4, "0100007F:1771", "0A");
  const std::vector<Listening> all = parse_proc_net(text);
  CHECK(all == std::vector<Listening>{{"127.0.0.1", 3000}, {"0.0.0.0", 8080}, {"::1", 22}});
  // A line that has not come whole is none, and what is none ends it.
  CHECK(parse_proc_net(text.substr(0, kTitle.size() + 20)).empty());
  for (const std::string& bad :
       {std::string(), std::string(kTitle), std::string("\n\n\n"), std::string(1000, 'x') + "\n",
        std::string(kTitle) + line(0, "0100007F", "0A"), std::string(kTitle) + line(0, "0100007F:0000", "0A"),
        std::string(kTitle) + line(0, "0100007F:12345", "0A"), std::string(kTitle) + line(0, "0100007G:0BB8", "0A"),
        std::string(kTitle) + line(0, "01007F:0BB8", "0A")})
    CHECK(parse_proc_net(bad).empty());
}

TEST_CASE("gateway ports: those of an address are its own, and those of all addresses") {
  const std::vector<Listening> all{{"127.18.0.7", 5000}, {"127.0.0.1", 3000}, {"0.0.0.0", 8080}, {"::", 8080}, {"::1", 22}};
  CHECK(ports_at(all, "127.0.0.1") == std::vector<std::uint16_t>{3000, 8080});
  CHECK(ports_at(all, "127.18.0.7") == std::vector<std::uint16_t>{5000, 8080});
  CHECK(ports_at({}, "127.0.0.1").empty());
}
