// Descriptors as the scarce thing they are. What clients cause to be opened stops short of the system's limit, so that the admin
// API, which ends contexts and with them what they hold, has its share when nothing else goes any more. Any thread may call.
//
// Nothing is counted: descriptors are handed out from the lowest free number up (POSIX.1-2017, section 2.14), so a new one says
// by its number how many are in use below it. What the traffic keeps has a number below traffic_descriptors(), and so the numbers
// from there on are the others'.
#pragma once

namespace cmux::net {

// Raises the process's limit as far as it goes, or sets it to `most` where that is not 0, and keeps some back. Before threads
// start.
void set_descriptor_limit(unsigned most);

// What the process may open; the share of it that is for the traffic.
int descriptor_limit();
int traffic_descriptors();

// May the traffic have another one?
bool has_descriptors();

// The same file under the lowest number that is free; negative where there is none. The old descriptor stays open.
int moved_down(int descriptor);

// Stands for a descriptor between the question and the opening, so that many who ask at once are not all told the same.
class Claim {
 public:
  Claim();
  ~Claim() { end(); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  bool granted() const { return granted_; }
  // It is open now, or will not be.
  void end();

 private:
  bool held_ = true, granted_;
};

}  // namespace cmux::net
