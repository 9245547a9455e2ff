// The local CA for programs that `run` starts: most know no way to trust one more CA, only another file with all of them. So
// there are such files, of the system's roots (or those that a variable of the user's names) and ours.
//
// They are in the state folder beside the CA, named by what is in them, and stay: they hold nothing secret, the next `run` finds
// them made, and the program may outlive whoever would remove them. Not more than kMostFiles.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cmux::cli {

struct Trust {
  std::vector<std::pair<const char*, std::string>> variables;  // name, value
  std::optional<std::string> java_store;                       // the path of a JKS file
};

// `ca_file` is the local CA's certificate. What cannot be made is left out, with a note: the program can still do without.
Trust make_trust(const std::string& ca_file);

// The system's roots and `ours`, both PEM. Throws Exit where the system's are not found.
std::string trust_bundle(const std::string& ours);

}  // namespace cmux::cli
