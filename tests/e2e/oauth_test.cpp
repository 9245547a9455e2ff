// Signing in at a site on another host, which sends the browser back to localhost.
#include "support.hpp"

namespace e2e {
namespace {

constexpr const char* kCallback = "http://localhost:3000/callback";

// As clients are that follow redirects: everything goes through the proxy, https as a tunnel.
struct Browser {
  const Context& context;
  Run fetch(const std::string& url, const Strings& more = {}) const {
    Strings all{"curl", "-sS", "--max-time", "20", "--noproxy", "", "-x", context.proxy_url, "--cacert", pki() + "/ca.crt", "-L"};
    all.insert(all.end(), more.begin(), more.end());
    all.push_back(url);
    return run(all);
  }
  int status(const std::string& url, const Strings& more = {}) const {
    TempDir folder;
    Strings all{"-o", folder / "body", "-w", "%{http_code}"};
    all.insert(all.end(), more.begin(), more.end());
    return std::stoi(fetch(url, all).out);
  }
};

}  // namespace

TEST_CASE("OAuth: a code comes back to localhost, and is worth one token") {
  const std::string scheme = GENERATE("http", "https");
  INFO(scheme);
  Workspace workspace;
  const OauthProvider provider(scheme == "https" ? Strings{"--cert", pki() + "/srv.crt", "--key", pki() + "/srv.key"}
                                                 : Strings{});
  Proxy proxy({"--resolve", fmt::format("login.cmux.test=127.0.0.1:{}", provider.port())}, &workspace);
  const Context context = proxy.routed();
  const Browser browser{context};
  const std::string site = scheme + "://login.cmux.test";
  const std::string authorize = fmt::format("{}/authorize?response_type=code&client_id=app&state=s%2F1&redirect_uri={}", site,
                                            "http%3A%2F%2Flocalhost%3A3000%2Fcallback");

  // The application sends its user to the provider, and the provider sends the user back.
  std::string quoted;
  for (const char c : authorize) quoted += c == '&' ? "%26" : c == '%' ? "%25" : std::string(1, c);
  const Run signed_in =
      browser.fetch("http://localhost:3000/redirect?to=" + quoted, {"-w", "\n%{num_redirects} %{url_effective}"});
  INFO(signed_in.out << signed_in.err);
  REQUIRE(signed_in.out.find(fmt::format("\n2 {}?", kCallback)) != std::string::npos);
  const auto answer = boost::json::parse(signed_in.out.substr(0, signed_in.out.find('\n'))).as_object();
  CHECK(text_in(answer, "state") == "s/1");
  const std::string code = text_in(answer, "code");
  REQUIRE_FALSE(code.empty());

  const auto exchange = [&](const std::string& secret, const std::string& redirect_uri) {
    return browser
        .fetch(site + "/token", {"-d", "grant_type=authorization_code", "--data-urlencode", "code=" + code, "--data-urlencode",
                                 "redirect_uri=" + redirect_uri, "-d", "client_id=app", "-d", "client_secret=" + secret})
        .json()
        .as_object();
  };
  CHECK(text_in(exchange("guessed", kCallback), "error") == "invalid_client");
  const auto granted = exchange("secret", kCallback);
  CHECK(text_in(granted, "token_type") == "Bearer");
  CHECK(text_in(exchange("secret", kCallback), "error") == "invalid_grant");

  const std::string bearer = "Authorization: Bearer " + text_in(granted, "access_token");
  CHECK(text_in(browser.fetch(site + "/userinfo", {"-H", bearer}).json().as_object(), "sub") == "alice");
  CHECK(browser.status(site + "/userinfo", {"-H", bearer + "0"}) == 401);
  CHECK(browser.status(site + "/userinfo") == 401);
  CHECK(workspace.malformed() == 0);
}

TEST_CASE("OAuth: what cannot be granted is told to the application, or to nobody") {
  Workspace workspace;
  const OauthProvider provider;
  Proxy proxy({"--resolve", fmt::format("login.cmux.test=127.0.0.1:{}", provider.port())}, &workspace);
  const Context context = proxy.routed();
  const Browser browser{context};
  const std::string authorize = "http://login.cmux.test/authorize?state=7&redirect_uri=http://localhost:3000/callback%3Fx%3D1";
  const auto told = browser.fetch(authorize + "&client_id=app&response_type=token").json().as_object();
  CHECK(text_in(told, "error") == "unsupported_response_type");
  CHECK(text_in(told, "state") == "7");
  CHECK(browser.status(authorize + "&client_id=other&response_type=code") == 400);
}

}  // namespace e2e
