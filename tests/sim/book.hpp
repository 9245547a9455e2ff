// Book: what each request was, who has seen it, and how it ended; and the oracles that judge it. Clients and workspaces write in
// it, the proxy does not know of it. Every request has a number, which its bytes are made of, so that no byte can pass for
// another's.
#pragma once

#include <string>
#include <vector>

#include "census.hpp"

namespace sim {

// The bytes of a body, or a direction of a tunnel: `down` is towards the client.
char byte_of(int request, bool down, std::uint64_t position);
std::string bytes_of(int request, bool down, std::uint64_t from, std::uint64_t count);

// Checks what comes against what was sent, as it comes.
struct Reading {
  int request = -1;  // -1: of none; anything may come
  bool down = false;
  std::uint64_t position = 0;
  void take(std::string_view bytes);
};

struct Entry {
  int context = -1;
  std::string method;
  std::uint64_t up = 0;    // bytes of the request's body
  bool forbidden = false;  // malformed or without credentials: no workspace may see it
  bool given_up = false;   // its client has left, or reset it
  bool sent = false;       // ... whole
  // The workspace:
  unsigned executed = 0;
  bool refused = false;    // said that it was not acted on
  std::uint64_t down = 0;  // bytes of the response's body
  unsigned status = 0;
  bool whole = false;  // all of it was sent
  // The client:
  unsigned answers = 0;
  bool ended = false;
};

class Book {
 public:
  // Of a run without faults, and of one whose faults a client must not see.
  Book(bool clean, bool mild) : clean_(clean), mild_(mild) {}
  int open(int context, std::string method, std::uint64_t up);
  Entry& operator[](int request);

  // A workspace has got its head, and acts on it. `may`: its context leads there.
  void executes(int request, bool may);
  // A client has got a final answer's head: of a workspace where it carries a tag, else the proxy's own.
  void answered(int request, unsigned status, const std::string& tag);
  // ... and all of its body, so many bytes.
  void completed(int request, std::uint64_t down);
  // Its stream or connection has ended without an answer, or within it.
  void broken(int request);
  // At the end of the run.
  void close();
  std::size_t size() const { return entries_.size(); }
  bool clean() const { return clean_; }
  bool mild() const { return mild_; }

 private:
  // It may be sent again, and so is to be answered whatever becomes of one connection.
  bool owed(const Entry& entry) const { return mild_ && !entry.forbidden && entry.method != "POST" && entry.method != "CONNECT"; }
  const bool clean_, mild_;
  std::vector<Entry> entries_;
};

}  // namespace sim
