// HTTP/2 frames from a fuzzer's bytes: well-formed ones mostly, with fields that HPACK has packed, since bytes alone hardly get
// past a frame's length.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace cmux::fuzz {

enum class Peer { client, server };
// All that the peer says; a client's begins with the preface.
std::string frames(Source& source, Peer peer);

// The output of a connection is whole frames, none longer than a peer allows that has said nothing; but the last may be cut.
void check_frames(std::string_view output, bool preface);

}  // namespace cmux::fuzz
