#include "app/reports.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;

namespace {

proxy::Record example() {
  proxy::Record record;
  record.began = std::chrono::system_clock::time_point(1'700'000'000'050ms);
  record.context = "ctx-0-0";
  record.method = "GET";
  record.url = "http://localhost:3000/";
  record.destination = "https://a.test:443";
  record.status = 200;
  record.downstream = "http/1.1";
  record.upstream = "h2";
  record.reused = true;
  record.retries = 1;
  record.sent = 3;
  record.received = 512;
  record.first_byte = 1'500us;
  record.total = 2'250us;
  return record;
}

}  // namespace

TEST_CASE("reports: a line of the access log for people") {
  CHECK(record_text(example()) ==
        "access GET http://localhost:3000/ 200 context=ctx-0-0 to=https://a.test:443 protocols=http/1.1,h2 sent=3 received=512 "
        "total=2.250ms first-byte=1.500ms reused retries=1");
  proxy::Record refused;
  refused.status = 400;
  refused.error = "http_request_error";
  refused.detail = "no Host";
  CHECK(record_text(refused) ==
        "access - - 400 context=- to=- protocols=-,- sent=0 received=0 total=0.000ms "
        "error=http_request_error: no Host");
}

TEST_CASE("reports: a record as JSON is JSON whatever a workspace says") {
  proxy::Record record = example();
  record.error = "http_protocol_error";
  record.detail = "bad \xff\x1b[2J\"name\"";
  const auto document = boost::json::parse(record_json(record)).as_object();
  CHECK(document.at("time") == "2023-11-14T22:13:20.050Z");
  CHECK(document.at("detail") == "bad \\u00ff\\u001b[2J\"name\"");
  CHECK(document.at("bytes") == boost::json::value({{"sent", 3}, {"received", 512}}));
  CHECK(document.at("retries") == 1);
  CHECK(document.at("tunnel") == false);
  CHECK(document.at("timing").at("total") == 2250);
  const auto nothing = boost::json::parse(record_json(proxy::Record{})).as_object();
  for (const char* const key : {"context", "method", "url", "destination", "error", "detail", "downstream", "upstream"})
    CHECK(nothing.at(key).is_null());
}
