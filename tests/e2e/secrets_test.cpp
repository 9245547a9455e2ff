// Headers that are secret, and values that are missing: how flags take them.
#include "support.hpp"

namespace e2e {
namespace {

constexpr std::string_view kSecret = "s3cret-value";

// The route's headers as the workspace gets them.
std::string received(const Proxy& proxy, const Run& created, const std::string& name) {
  INFO(created.err);
  REQUIRE(created.exit == 0);
  const auto document = created.json().as_object();
  Context context;
  context.username = text_in(document, "username"), context.password = text_in(document, "password");
  for (const auto& header : proxy.get(context, "http://localhost:3000/echo").json().at("headers").as_array())
    if (header.at(0) == name.c_str()) return boost::json::value_to<std::string>(header.at(1));
  return "(none)";
}

}  // namespace

TEST_CASE("secrets: a header's value comes from a variable or a file, and not from an argument") {
  Workspace workspace;
  Proxy proxy;
  TempDir folder;
  const std::string file = folder / "headers", origin = fmt::format("http://127.0.0.1:{}", workspace.http_port());
  write_file(file, fmt::format("# for the tests\n\nX-One: {0}\r\n  X-Two :  two words  \nX-Empty:\n", kSecret));
  const auto create = [&](const Strings& flags) {
    Strings argv{binary(), "ctx", "create", "--json", "--instance", proxy.instance, "--cmux-proxy-origin", origin};
    argv.insert(argv.end(), flags.begin(), flags.end());
    Strings environment = proxy.environment();
    environment.push_back(fmt::format("E2E_TOKEN={}", kSecret));
    return run(argv, environment);
  };
  CHECK(received(proxy, create({"--header", "X-Token: env:E2E_TOKEN"}), "X-Token") == kSecret);
  const Run both = create({"--header-file", file, "--header", "X-Three: 3"});
  CHECK(received(proxy, both, "X-One") == kSecret);
  CHECK(received(proxy, both, "X-Two") == "two words");
  CHECK(received(proxy, both, "X-Three") == "3");

  const auto refused = [&](const Strings& flags, std::string_view flag, std::string_view what) {
    const Run failed = create(flags);
    INFO(failed.err);
    CHECK(failed.exit == 2);
    CHECK(failed.err.find(flag) != std::string::npos);
    CHECK(failed.err.find(what) != std::string::npos);
    CHECK(failed.err.find(kSecret) == std::string::npos);
  };
  refused({"--header", "X-Token: env:E2E_NOT_SET"}, "--header", "E2E_NOT_SET");
  refused({"--header-file", folder / "missing"}, "--header-file", "No such file");
  refused({"--header-file", folder.path}, "--header-file", folder.path);
  write_file(file, fmt::format("X-One: 1\n{}\n", kSecret));
  refused({"--header-file", file}, "--header-file", file + ":2");
  write_file(file, fmt::format("X-One: {0}\nX-One: {0}\n", kSecret));
  refused({"--header-file", file}, file + ":2", "given twice");
  write_file(file, "X-One: " + std::string(100'000, 'x') + "\n");
  refused({"--header-file", file}, "--header-file", "65536");
  write_file(file, "X-One: " + std::string(20'000, 'x') + "\n");
  refused({"--header-file", file}, "--header", "16384");
}

TEST_CASE("cli: an empty value is not a missing one") {
  Proxy proxy;
  for (const char* const flag :
       {"--morph-id", "--scope", "--domain-suffix", "--morph-domain-suffix", "--cmux-proxy-origin", "--template", "--suffix",
        "--from-url", "--header-file", "--header", "--label", "--ttl", "--owner-pid", "--web-contents-id", "--forward"}) {
    INFO(flag);
    const Run failed = proxy.cli({"ctx", "create", flag, ""});
    INFO(failed.err);
    CHECK(failed.exit == 2);
    CHECK(failed.err.find(flag) != std::string::npos);
  }
  for (const char* const flag : {"--morph-id", "--from-url", "--header-file"})
    CHECK(proxy.cli({"probe", "http://localhost:3000/", flag, ""}).exit == 2);
  const Run zero = proxy.cli({"ctx", "create", "--ttl", "0"});
  CHECK(zero.exit == 2);
  CHECK(zero.err.find("--ttl") != std::string::npos);
  CHECK(proxy.cli({"ctx", "list", "--json"}).json().as_object().at("contexts").as_array().empty());
}

}  // namespace e2e
