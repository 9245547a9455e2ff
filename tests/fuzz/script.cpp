#include "script.hpp"

namespace cmux::fuzz {

Task<void> Echo::serve(http::Stream& stream) {
  auto head = co_await stream.read_head();
  http::Head answer;
  if (!head) {
    if (head.error().status == 0) co_return;
    answer.status = head.error().status, answer.end = true;
    stream.close_after();
    co_await stream.write_head(answer, http::Next::end);
    co_return;
  }
  const http::Head& request = **head;
  check_request(request);
  answer.status = request.protocol == "websocket" && request.version < 20 ? 101 : 200;
  answer.tunnel = request.is_connect();
  answer.end = request.end && !answer.tunnel;
  auto sent = co_await stream.write_head(answer, answer.end ? http::Next::end : http::Next::later);
  if (!sent || answer.end) co_return;
  co_await http::relay_body(stream, Side::downstream, stream, Side::downstream);
}

Task<void> ask(http::Stream& stream, http::Head head, bool with_body) {
  head.end = !with_body;
  auto sent = co_await stream.write_head(head, with_body ? http::Next::soon : http::Next::end);
  if (!sent) co_return;
  if (with_body) co_await stream.write_body("hello", http::Next::end);
  for (int heads = 0; heads < 100; ++heads) {
    auto answer = co_await stream.read_head();
    if (!answer) co_return;
    check_response(**answer);
    if ((*answer)->is_interim()) continue;
    if ((*answer)->end) co_return;
    while (true) {
      auto piece = co_await stream.read_body();
      if (!piece || piece->end) co_return;
    }
  }
}

Loop& loop() {
  static Loop one;
  return one;
}

}  // namespace cmux::fuzz
