#include "policy/route_text.hpp"

#include <fmt/format.h>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace cmux::policy {

Error refused(std::string_view field, std::string_view why) {
  return make_error(Errc::config, fmt::format("{}: {}", field, why));
}

Result<Url> parse_url(std::string_view field, std::string_view text, bool h2c_allowed) {
  // Boost.URL 1.81 has an assertion that "http:" and then what no path can begin with does not pass.
  if (text.find("://") != text.find(':')) return refused(field, "must be a valid URL with ://");
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refused(field, "must be a valid URL");
  Url url;
  switch (parsed->scheme_id()) {
    case boost::urls::scheme::http: url.scheme = Scheme::http; break;
    case boost::urls::scheme::https: url.scheme = Scheme::https; break;
    default:
      url.h2c = h2c_allowed && net::to_lower({parsed->scheme().data(), parsed->scheme().size()}) == "h2c";
      if (!url.h2c)
        return refused(field,
                       h2c_allowed ? "must start with http://, https:// or h2c://" : "must start with http:// or https://");
  }
  if (!parsed->has_authority()) return refused(field, "must hold a host");
  if (parsed->has_userinfo()) return refused(field, "must not hold user info");
  const auto authority = parsed->encoded_authority();
  auto checked = net::parse_authority({authority.data(), authority.size()});
  if (!checked) return refused(field, checked.error().detail);
  url.authority = std::move(*checked);
  url.path.assign(parsed->encoded_path().data(), parsed->encoded_path().size());
  url.has_more = parsed->has_query() || parsed->has_fragment();
  return url;
}

}  // namespace cmux::policy
