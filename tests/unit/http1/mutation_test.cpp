// Heads that were damaged at random: refused, or understood in exactly one way.
#include <catch2/catch.hpp>
#include <random>

#include "http1/heads.hpp"

using namespace cmux;
using namespace cmux::http1;

namespace {

constexpr std::string_view kRequests[] = {
    "GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: keep-alive, X-A\r\nX-A: 1\r\n\r\n",
    "POST http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
    "PUT http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
    "GET ws://a.test/s HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nProxy-Authorization: Basic x\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\nCookie: a=b\r\nCookie: c\r\n\r\n",
};
constexpr std::string_view kResponses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n",
    "HTTP/1.0 304 Not Modified\r\nConnection: keep-alive, a\r\nA: b\r\nContent-Length: 3\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
};
constexpr std::string_view kParts[] = {"\r\n",
                                       "\n",
                                       "\r",
                                       " ",
                                       "\t",
                                       ":",
                                       "\r\n ",
                                       "Content-Length: 3\r\n",
                                       "Transfer-Encoding: chunked\r\n",
                                       "Host: b\r\n",
                                       "http://",
                                       "HTTP/1.0",
                                       ",",
                                       "close",
                                       "Upgrade: h2c\r\n",
                                       "Connection: host\r\n"};

std::string mutated(std::string_view text, std::mt19937& random) {
  std::string out(text);
  const auto place = [&] { return random() % (out.size() + 1); };
  for (unsigned times = random() % 4 + 1; times > 0; --times) switch (random() % 5) {
      case 0: out.insert(place(), 1, static_cast<char>(random() % 256)); break;
      case 1:
        if (!out.empty()) out[random() % out.size()] = static_cast<char>(random() % 256);
        break;
      case 2: out.erase(place(), random() % 8 + 1); break;
      case 3: out.insert(place(), kParts[random() % std::size(kParts)]); break;
      case 4: {
        const std::size_t from = place();
        out.insert(place(), out.substr(from, random() % 30));
        break;
      }
    }
  return out;
}

std::string meaning(const http::Head& head) {
  std::string out =
      head.method + "|" + head.authority + "|" + head.path + "|" + head.protocol + "|" + std::to_string(head.status) + "|";
  out += head.end ? "end" : "body";
  if (head.content_length) out += std::to_string(*head.content_length);
  return out + (head.trailers_accepted ? "|trailers\n" : "|\n") + lines(head.fields);
}

}  // namespace

TEST_CASE("a mutated request is refused or means one thing") {
  std::mt19937 random(20'240'611);
  unsigned understood = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutated(kRequests[random() % std::size(kRequests)], random);
    HeadParser parser(Role::request, kUsualLimits);
    http::Head head;
    const auto size = parser.parse(text, head);
    const std::string whole = parsed(Role::request, text);
    const std::string split = parsed_split(Role::request, text, random() % (text.size() + 1));
    if (whole.substr(0, 9) != split.substr(0, 9) || (size && whole != split)) FAIL("differs when split: " << text);
    if (!size || *size == 0) continue;
    const auto info = normalise_request(head);
    // The authority is the exchange's to check.
    if (!info || !net::parse_authority(head.authority)) continue;
    ++understood;
    Buffer out;
    const Framing framing = write_request(head, out);
    http::Head again;
    HeadParser second(Role::request, kUsualLimits);
    const auto written = second.parse(out.view(), again);
    if (!written || *written != out.size()) FAIL("does not parse again: " << text << " => " << out.view());
    const auto same = normalise_request(again);
    if (!same) FAIL("is refused again: " << text << " => " << out.view());
    if (head.end && !head.content_length && again.content_length == 0) head.content_length = 0;  // POST without a body
    if (meaning(again) != meaning(head)) FAIL("means something else: " << text << " => " << meaning(again));
    if (same->framing != framing || info->framing != framing) FAIL("is framed in another way: " << text);
  }
  CHECK(understood > 1'000);
}

TEST_CASE("a mutated response is refused or means one thing") {
  std::mt19937 random(20'240'612);
  unsigned understood = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutated(kResponses[random() % std::size(kResponses)], random);
    HeadParser parser(Role::response, kUsualLimits);
    http::Head head;
    const auto size = parser.parse(text, head);
    if (!size || *size == 0) continue;
    const auto info = normalise_response(head, "GET", "");
    if (!info) continue;
    ++understood;
    ResponseForm form;
    Buffer out;
    write_response(head, form, out);
    http::Head again;
    HeadParser second(Role::response, kUsualLimits);
    const auto written = second.parse(out.view(), again);
    if (!written || *written != out.size()) FAIL("does not parse again: " << text << " => " << out.view());
    const auto same = normalise_response(again, "GET", "");
    if (!same) FAIL("is refused again: " << text << " => " << out.view());
    if (meaning(again) != meaning(head)) FAIL("means something else: " << text << " => " << meaning(again));
  }
  CHECK(understood > 1'000);
}

TEST_CASE("random bytes are never a head") {
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 60, '\0');
    for (char& c : text) c = static_cast<char>(random() % 256);
    http::Head head;
    for (const Role role : {Role::request, Role::response}) {
      HeadParser parser(role, kUsualLimits);
      const auto size = parser.parse(text, head);
      CHECK((!size || *size == 0));
    }
  }
}
