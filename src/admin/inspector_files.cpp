#include "admin/inspector_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "inspect/decode.hpp"

namespace cmux::admin {
namespace {

constexpr std::size_t kMostFile = 16 * 1024 * 1024;

// The page runs what comes from here and nothing else, asks nobody else, and is in nobody's frame.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool takes_gzip(const http::Head& request) { return http::has_token(request.fields.get("Accept-Encoding").value_or(""), "gzip"); }

std::string_view type_of(std::string_view path) {
  const std::string_view ending = path.substr(std::min(path.rfind('.'), path.size()));
  for (const EmbeddedFile& file : embedded_inspector())
    if (file.path.ends_with(ending)) return file.type;
  return ending == ".css" ? "text/css" : ending == ".js" || ending == ".mjs" ? "text/javascript" : "application/octet-stream";
}

std::string content_type(std::string_view media_type) {
  return fmt::format("{}{}", media_type, media_type.starts_with("text/") ? "; charset=utf-8" : "");
}

// Plain names, and none that is hidden or leads out of the folder.
bool is_plain(std::string_view path) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
           c == '/';
  };
  return std::all_of(path.begin(), path.end(), good) && !path.starts_with('.') && path.find("/.") == std::string_view::npos;
}

Reply not_there(std::string_view path) { return problem(404, fmt::format("there is no {}", quoted(path))); }

Reply from_folder(std::string_view path, const std::string& folder) {
  std::ifstream file(fmt::format("{}/{}", folder, path), std::ios::binary);
  if (!is_plain(path) || !file) return not_there(path);
  Reply reply;
  reply.type = content_type(type_of(path));
  reply.body.assign(std::istreambuf_iterator<char>(file), {});
  reply.fields.emplace_back("Cache-Control", "no-store");
  return reply;
}

Reply from_program(std::string_view path, const http::Head& request) {
  const auto& all = embedded_inspector();
  const auto found = std::find_if(all.begin(), all.end(), [&](const EmbeddedFile& file) { return file.path == path; });
  if (found == all.end()) return not_there(path);
  const std::string tag = fmt::format("\"{}\"", found->sum);
  Reply reply;
  reply.fields.emplace_back("Cache-Control", "no-cache");
  reply.fields.emplace_back("ETag", tag);
  reply.fields.emplace_back("Vary", "Accept-Encoding");
  const std::string_view known = request.fields.get("If-None-Match").value_or("");
  if (known == "*" || http::has_token(known, tag) || http::has_token(known, "W/" + tag)) {
    reply.status = 304;
    return reply;
  }
  reply.type = content_type(found->type);
  if (takes_gzip(request)) {
    reply.body = found->gzip;
    reply.fields.emplace_back("Content-Encoding", "gzip");
  } else {
    reply.body = inspect::decode("gzip", found->gzip, kMostFile)->bytes;
  }
  return reply;
}

}  // namespace

Reply inspector_file(std::string_view path, const http::Head& request, const std::string& folder) {
  if (path.empty()) path = "index.html";
  Reply reply = folder.empty() ? from_program(path, request) : from_folder(path, folder);
  reply.fields.emplace_back("Content-Security-Policy", kPolicy);
  reply.fields.emplace_back("X-Content-Type-Options", "nosniff");
  reply.fields.emplace_back("X-Frame-Options", "DENY");
  reply.fields.emplace_back("Referrer-Policy", "no-referrer");
  reply.fields.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  reply.fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  return reply;
}

}  // namespace cmux::admin
