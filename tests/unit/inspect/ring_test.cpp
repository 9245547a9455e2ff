#include "inspect/ring.hpp"

#include <catch2/catch.hpp>

using namespace cmux::inspect;

namespace {

Ring::Held begin(Ring& ring, std::string context = {}) {
  auto capture = ring.make();
  capture->level = Level::bodies;
  capture->context = std::move(context);
  ring.add(*capture);
  return capture;
}

void end(Ring& ring, Capture& capture) {
  capture.state = State::done;
  ring.ended(capture);
}

std::vector<std::uint64_t> told(const Ring& ring, std::uint64_t after, std::size_t most = 100, std::uint64_t until = ~0ull) {
  std::vector<std::uint64_t> out;
  for (const Changed& one : ring.changes(after, until, most, {})) out.push_back(one.record.number);
  return out;
}

using Numbers64 = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("ring: it takes so many bytes, whatever comes, and the oldest that has ended goes first") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(100'000);
  const auto open = begin(ring);
  for (int i = 0; i < 1000; ++i) {
    const auto capture = begin(ring);
    capture->request.bytes = std::string(1 + i % 3000, 'x');
    ring.grown(*capture);
    CHECK(ring.holdings().bytes <= 100'000);
    end(ring, *capture);
    CHECK(ring.holdings().bytes <= 100'000);
  }
  CHECK(ring.find(1));
  CHECK_FALSE(ring.find(2));
  CHECK(ring.find(1001));
  CHECK(ring.holdings().first > 900);
  end(ring, *open);
  CHECK(ring.holdings().first == 1);
  const auto large = begin(ring);
  large->response.bytes = std::string(90'000, 'x');
  ring.grown(*large);
  CHECK(ring.find(1));  // which has ended last
  CHECK_FALSE(ring.find(980));
  CHECK(ring.find(1002));
  ring.limit(1000);
  CHECK(ring.holdings().bytes <= 1000);
}

TEST_CASE("ring: where all are open the oldest goes too, and what it wrote is forgotten") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(50'000);
  std::vector<Ring::Held> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(begin(ring));
    all.back()->request.bytes = std::string(5'000, 'x');
    ring.grown(*all.back());
    CHECK(ring.holdings().bytes <= 50'000);
  }
  CHECK_FALSE(all.front()->linked());
  CHECK(all.front()->request.bytes.empty());
  CHECK(all.back()->linked());
  for (const auto& capture : all) end(ring, *capture);
  CHECK(ring.holdings().exchanges < 10);
}

TEST_CASE("ring: who reads is told of every change once, the oldest first, from wherever it is") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(1'000'000);
  const auto a = begin(ring), b = begin(ring), c = begin(ring);
  CHECK(told(ring, 0) == Numbers64{1, 2, 3});
  CHECK(told(ring, 2) == Numbers64{3});
  CHECK(told(ring, 3).empty());
  end(ring, *a);
  CHECK(told(ring, 3) == Numbers64{1});
  CHECK(told(ring, 0) == Numbers64{2, 3, 1});
  CHECK(told(ring, 0, 2) == Numbers64{2, 3});
  CHECK(told(ring, 0, 100, 3) == Numbers64{2, 3});
  std::vector<Ring::Held> more;
  for (int i = 0; i < 50; ++i) more.push_back(begin(ring));
  for (std::uint64_t after = 0; after <= 54; ++after) CHECK(told(ring, after).size() == 54 - std::max<std::uint64_t>(after, 1));
  // One that is open is told of as it was.
  const auto open = ring.changes(0, ~0ull, 1, {}).front().record;
  b->status = 200;
  CHECK(open.status == 0);
}

TEST_CASE("ring: who reads is told of what went since, whoever else has read") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(100'000);
  for (int i = 0; i < 10; ++i) end(ring, *begin(ring));
  CHECK(ring.gone(0).empty());
  const auto open = begin(ring);
  ring.limit(0);
  CHECK(ring.gone(0).size() == 11);
  CHECK(ring.gone(20) == Numbers64{21});  // those before had ended by then
  CHECK(ring.gone(21).empty());
  CHECK(ring.gone(~0ull).empty());
  CHECK(ring.gone(0).size() == 11);
  for (std::size_t i = 0; i < 2 * Ring::kGone; ++i) end(ring, *begin(ring));
  CHECK(ring.gone(0).size() == Ring::kGone);
  ring.clear();
  CHECK(ring.gone(0).empty());
}

TEST_CASE("ring: clearing forgets all, and those that are open go on unseen") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(100'000);
  const auto open = begin(ring, "ctx-1");
  end(ring, *begin(ring, "ctx-2"));
  CHECK(ring.numbers_of("ctx-1") == Numbers64{1});
  CHECK(ring.numbers_of("") == Numbers64{2, 1});
  ring.clear();
  CHECK(ring.holdings().bytes == 0);
  CHECK(told(ring, 0).empty());
  end(ring, *open);
  CHECK(told(ring, 0).empty());
  end(ring, *begin(ring));
  CHECK(told(ring, 0) == Numbers64{3});
}

TEST_CASE("ring: what has ended is told as it was, to its last byte") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(1'000'000);
  const auto capture = begin(ring, "ctx-1");
  cmux::http::Head head;
  head.method = "POST";
  head.scheme = "http";
  head.authority = "localhost:3000";
  head.path = "/x?y=1";
  head.content_length = 4;
  head.trailers_accepted = true;
  head.fields.add("X-A", "1");
  head.fields.add("X-B", "secret", cmux::http::Name::other, true);
  capture->heads.keep(Heads::request_received, head);
  head.fields.remove("X-A");
  capture->heads.keep(Heads::request_sent, head);
  cmux::http::Head answer;
  answer.status = 204;
  capture->heads.keep(Heads::response_received, answer);
  const std::size_t before = capture->heads.block().size();
  capture->heads.keep(Heads::response_sent, answer);
  CHECK(capture->heads.block().size() == before);  // the same once more takes nothing
  capture->method = "POST", capture->url = "http://localhost:3000/x", capture->query = "?y=•••", capture->type = "text/plain";
  capture->destination = "https://a.test:443", capture->parent = "p", capture->error = "e", capture->detail = "d",
  capture->target = "t";
  capture->status = 204, capture->advice = "advice", capture->first_byte = std::chrono::microseconds(5);
  capture->request = {"body", 4, true};
  capture->response = {std::string("a\0b", 3), 10, false};
  capture->conversation = std::make_unique<Conversation>();
  capture->conversation->add({});
  end(ring, *capture);
  const CapturePtr kept = ring.find(1);
  REQUIRE(kept);
  CHECK(kept->state == State::done);
  for (const auto text : {&Record::context, &Record::method, &Record::url, &Record::query, &Record::type, &Record::destination,
                          &Record::parent, &Record::error, &Record::detail})
    CHECK((*kept).*text == (*capture).*text);
  CHECK(kept->target == "t");
  CHECK(kept->advice == "advice");
  CHECK(kept->first_byte.count() == 5);
  CHECK(kept->request.bytes == "body");
  CHECK(kept->request.whole());
  CHECK(kept->response.bytes == std::string("a\0b", 3));
  CHECK_FALSE(kept->response.whole());
  CHECK(kept->conversation->count() == 1);
  const auto received = kept->heads.shown(Heads::request_received), sent = kept->heads.head(Heads::request_sent);
  CHECK(received.path == "/x?y=1");
  CHECK(received.fields.get("X-A") == "1");
  CHECK(received.fields.get("Host") == "localhost:3000");
  CHECK(received.fields.get("Content-Length") == "4");
  CHECK(received.fields.get("TE") == "trailers");
  CHECK_FALSE(sent.fields.get("X-A"));
  CHECK(sent.fields[0].secret);
  CHECK(sent.content_length == 4);
  CHECK(kept->heads.head(Heads::response_sent).status == 204);
}

TEST_CASE("ring: the memory of one that has ended is the next one's, and nothing of what it held") {
  Ring ring(std::make_shared<Numbers>());
  ring.limit(1'000'000);
  Capture* const first = [&] {
    const auto capture = begin(ring, "ctx-1");
    capture->request.bytes = "secret";
    capture->heads.keep(Heads::request_received, {});
    capture->status = 200;
    end(ring, *capture);
    return capture.get();
  }();
  const auto next = ring.make();
  CHECK(next.get() == first);
  CHECK(next->context.empty());
  CHECK(next->request.bytes.empty());
  CHECK_FALSE(next->heads.has(Heads::request_received));
  CHECK(next->status == 0);
  CHECK(next->number == 0);
  CHECK(next->state == State::open);
}
